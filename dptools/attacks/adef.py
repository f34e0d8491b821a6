"""ADef: the image's pixels are moved until it is misclassified (Alaifari, Alberti and Gauksson, arXiv 1804.07729)."""

from math import ceil, inf
from typing import Any

import eagerpy as ep
import torch
from foolbox.attacks.base import MinimizationAttack, get_criterion, raise_if_kwargs, verify_input_bounds
from foolbox.criteria import TargetedMisclassification
from foolbox.distances import l2
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample

TRUNCATE = 4
"""The Gaussian filter reaches so many standard deviations far."""


class ADefAttack(MinimizationAttack):
    """Deforms images by a small smooth vector field, found step by step along the classifier's gradient.

    In each step the margin of every candidate class is linearised in the field, the smallest smooth field that brings
    it to zero is added to those of the steps before, and the original image is resampled, bilinearly, along the sum.

    Args:
        steps: the most steps.
        candidates: how many classes are considered, the label among them: the most probable ones of the clean image.
        smooth: standard deviation of the Gaussian filter that makes the field smooth, in pixels; 0 for none.
        overshoot: the field is applied so many times, to get past the border and not just to it; the authors' example
            for ImageNet has 1.1, where Foolbox 2 had 1.
        margin: how far beyond the border each step aims, in scores. Without it, a step at the border is none, and the
            attack may end just there.
        max_deformation: the longest vector that is allowed, in pixels; None for any; the authors allow 3.

    Attributes:
        fields: after a run, the vector fields as applied, B x 2 x H x W in pixels (x, then y). The deformed image at a
            pixel is the original at the pixel plus its vector.
    """

    distance = l2
    fields: Tensor

    def __init__(
        self,
        *,
        steps: int = 100,
        candidates: int = 10,
        smooth: float = 1.0,
        overshoot: float = 1.1,
        margin: float = 0.01,
        max_deformation: float | None = None,
    ) -> None:
        self.steps, self.candidates, self.smooth = steps, candidates, smooth
        self.overshoot, self.margin, self.max_deformation = overshoot, margin, max_deformation

    def run(self, model: Any, inputs: Any, criterion: Any, *, early_stop: float | None = None, **kwargs: Any) -> Any:
        raise_if_kwargs(kwargs)
        given, restore_type = ep.astensor_(inputs)
        verify_input_bounds(given, model)
        criterion = get_criterion(criterion)
        images: Tensor = given.raw
        total = torch.zeros_like(images[:, :2])
        deformed, stuck = images, torch.zeros(len(images), dtype=torch.bool, device=images.device)
        with torch.no_grad():
            rivals = self._rivals(criterion, model(images))
        for _ in range(self.steps):
            graded = deformed.detach().requires_grad_()
            scores: Tensor = model(graded)
            done = criterion(graded.detach(), scores.detach()) | stuck
            if done.all():
                break
            farther = total + self._step(graded, scores, rivals, _leader(criterion, scores), total)
            stuck = stuck | self._too_far(farther)
            total = torch.where((done | stuck).view(-1, 1, 1, 1), total, farther)
            deformed = resample(images, self.overshoot * total)
            del graded, scores  # and with them the graph, before the next
        self.fields = self.overshoot * total
        return restore_type(ep.astensor(deformed.detach()))

    def _rivals(self, criterion: Any, scores: Tensor) -> Tensor:
        """B x K classes to go to."""
        if isinstance(criterion, TargetedMisclassification):
            target: Tensor = criterion.target_classes.raw
            return target[:, None]
        ranked = scores.argsort(dim=1, descending=True)
        others = ranked[ranked != criterion.labels.raw[:, None]].view(len(scores), -1)
        return others[:, : self.candidates - 1]

    def _too_far(self, field: Tensor) -> Tensor:
        longest = inf if self.max_deformation is None else self.max_deformation
        return deformation(self.overshoot * field) > longest

    def _step(self, graded: Tensor, scores: Tensor, rivals: Tensor, label: Tensor, total: Tensor) -> Tensor:
        """B x 2 x H x W: what to add to the field, for the rival that makes the sum the smallest."""
        slopes = torch.stack(_slopes(graded.detach()), dim=1)  # B x 2 x 3 x H x W
        own = scores.gather(1, label[:, None])
        best, smallest = torch.zeros_like(total), torch.full_like(own[:, 0], inf)
        for rival in rivals.T:
            lead = scores.gather(1, rival[:, None]) - own - self.margin
            (gradient,) = torch.autograd.grad(lead.sum(), graded, retain_graph=True)
            alpha = self._smoothed((gradient[:, None] * slopes).sum(dim=2))
            energy = alpha.square().sum(dim=(1, 2, 3), keepdim=True)
            step = -lead.detach()[..., None, None] * self._smoothed(alpha) / energy.clamp(min=1e-20)
            size = (total + step).flatten(1).norm(dim=1).where(energy.flatten() > 0, inf)
            best = torch.where((size < smallest).view(-1, 1, 1, 1), step, best)
            smallest = torch.minimum(size, smallest)
        return best

    def _smoothed(self, field: Tensor) -> Tensor:
        return gaussian(field, self.smooth) if self.smooth > 0 else field


def _leader(criterion: Any, scores: Tensor) -> Tensor:
    """B classes to leave: the label or, on the way to a target, the most probable other class."""
    if isinstance(criterion, TargetedMisclassification):
        return scores.detach().scatter(1, criterion.target_classes.raw[:, None], -inf).argmax(dim=1)
    label: Tensor = criterion.labels.raw
    return label


def deformation(field: Tensor) -> Tensor:
    """The T norm of each of B vector fields B x 2 x H x W: the length of its longest vector, in pixels."""
    longest: Tensor = field.norm(dim=1).amax(dim=(1, 2))
    return longest


def resample(images: Tensor, field: Tensor) -> Tensor:
    """Images B x 3 x H x W at every pixel plus its vector, B x 2 x H x W in pixels; the border goes on outside."""
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device).view(1, height, 1)
    columns = torch.arange(width, device=images.device).view(1, 1, width)
    x = 2 * (columns + field[:, 0]) / max(1, width - 1) - 1
    y = 2 * (rows + field[:, 1]) / max(1, height - 1) - 1
    return grid_sample(images, torch.stack((x, y), dim=-1), padding_mode="border", align_corners=True)


def gaussian(field: Tensor, sigma: float) -> Tensor:
    """B x C x H x W filtered; reflected at the border so that the filter is its own adjoint, as the method asks."""
    radius = ceil(TRUNCATE * sigma)
    at = torch.arange(-radius, radius + 1, device=field.device, dtype=field.dtype)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    for axis, shape in ((2, (1, 1, -1, 1)), (3, (1, 1, 1, -1))):
        padded = _reflected(field.flatten(0, 1)[:, None], radius, axis)
        field = conv2d(padded, kernel.view(shape)).view_as(field)
    return field


def _reflected(field: Tensor, radius: int, axis: int) -> Tensor:
    """The field with mirrors at both ends of an axis; the last value stands on both sides of its mirror."""
    length = field.shape[axis]
    at = torch.arange(-radius, length + radius, device=field.device) % (2 * length)
    return field.index_select(axis, torch.where(at < length, at, 2 * length - 1 - at))


def _slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """The images' derivatives along x and y, each B x 3 x H x W: central differences, one-sided at the border."""
    down, right = torch.gradient(images, dim=(2, 3))
    return right, down
