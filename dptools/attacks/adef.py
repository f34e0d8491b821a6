"""ADef: deform an image until it is misclassified (Alaifari, Alberti and Gauksson, arXiv 1804.07729)."""

from math import inf
from typing import Any

import eagerpy as ep
import torch
from foolbox.attacks.base import MinimizationAttack, get_criterion, raise_if_kwargs, verify_input_bounds
from foolbox.criteria import TargetedMisclassification
from foolbox.distances import l2
from torch import Tensor

from dptools.attacks.vector_fields import deformation, gaussian, resample


class ADefAttack(MinimizationAttack):
    """Deform images by a small smooth vector field, computed iteratively from gradients of the classifier.

    For every candidate class, each step computes the smallest smooth change of the field that brings the linearised
    margin of the class to zero. It applies the change of the class for which the new field is smallest. The original
    image is then resampled along the field with bilinear interpolation.

    Attributes:
        fields: Vector fields that the last run applied, B x 2 x H x W in pixels (x, then y). A pixel of the deformed
            image has the value of the original at the pixel's position plus its vector.
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
        """Create the attack.

        Args:
            steps: Largest number of steps.
            candidates: Number of classes to consider, including the label. The others are the most probable other
                classes of the clean image.
            smooth: Standard deviation in pixels of the Gaussian filter that smooths the field; 0 for no filter.
            overshoot: Factor by which the field is multiplied to cross the decision boundary. The authors' ImageNet
                example uses 1.1, Foolbox 2 used 1.
            margin: Margin in logits that each step aims at. With 0, a step from the decision boundary would be zero,
                and the attack could get stuck there.
            max_deformation: Longest allowed vector in pixels; None for no limit. The authors use 3.
        """
        self.steps, self.candidates, self.smooth = steps, candidates, smooth
        self.overshoot, self.margin = overshoot, margin
        self.max_deformation = inf if max_deformation is None else max_deformation

    def run(self, model: Any, inputs: Any, criterion: Any, *, early_stop: float | None = None, **kwargs: Any) -> Any:
        """Return the deformed images. The arguments are those of Foolbox's attacks."""
        raise_if_kwargs(kwargs)
        tensor, restore_type = ep.astensor_(inputs)
        verify_input_bounds(tensor, model)
        criterion = get_criterion(criterion)
        images: Tensor = tensor.raw
        field = torch.zeros_like(images[:, :2])
        deformed, stuck = images, torch.zeros(len(images), dtype=torch.bool, device=images.device)
        with torch.no_grad():
            candidates = self._candidates(criterion, model(images))
        for _ in range(self.steps):
            leaf = deformed.detach().requires_grad_()
            scores: Tensor = model(leaf)
            done = criterion(leaf.detach(), scores.detach()) | stuck
            if done.all():
                break
            new_field = field + self._step(leaf, scores, candidates, _class_to_leave(criterion, scores), field)
            stuck = stuck | (deformation(self.overshoot * new_field) > self.max_deformation)
            field = torch.where((done | stuck).view(-1, 1, 1, 1), field, new_field)
            deformed = resample(images, self.overshoot * field)
            del leaf, scores  # frees the graph before the next one is built
        self.fields = self.overshoot * field
        return restore_type(ep.astensor(deformed.detach()))

    def _candidates(self, criterion: Any, scores: Tensor) -> Tensor:
        """Return the classes to approach, B x K."""
        if isinstance(criterion, TargetedMisclassification):
            target: Tensor = criterion.target_classes.raw
            return target[:, None]
        ranked = scores.argsort(dim=1, descending=True)
        others = ranked[ranked != criterion.labels.raw[:, None]].view(len(scores), -1)
        return others[:, : self.candidates - 1]

    def _step(self, leaf: Tensor, scores: Tensor, candidates: Tensor, label: Tensor, field: Tensor) -> Tensor:
        """Return the step, B x 2 x H x W, towards the candidate class for which the new field is smallest."""
        gradients = torch.stack(torch.gradient(leaf.detach(), dim=(3, 2)), dim=1)  # B x 2 (x, y) x 3 x H x W
        label_score = scores.gather(1, label[:, None])
        best, smallest = torch.zeros_like(field), torch.full_like(label_score[:, 0], inf)
        for candidate in candidates.T:
            lead = scores.gather(1, candidate[:, None]) - label_score - self.margin
            (gradient,) = torch.autograd.grad(lead.sum(), leaf, retain_graph=True)
            alpha = self._smoothed((gradient[:, None] * gradients).sum(dim=2))
            energy = alpha.square().sum(dim=(1, 2, 3), keepdim=True)
            # The lead is negative, except in single draws of a random defence; the step goes on through those, too.
            step = lead.detach().abs()[..., None, None] * self._smoothed(alpha) / energy.clamp(min=1e-20)
            size = (field + step).flatten(1).norm(dim=1).where(energy.flatten() > 0, inf)
            best = torch.where((size < smallest).view(-1, 1, 1, 1), step, best)
            smallest = torch.minimum(size, smallest)
        return best

    def _smoothed(self, field: Tensor) -> Tensor:
        return gaussian(field, self.smooth) if self.smooth > 0 else field


def _class_to_leave(criterion: Any, scores: Tensor) -> Tensor:
    """Return B classes: the label or, in a targeted attack, the most probable class other than the target."""
    if isinstance(criterion, TargetedMisclassification):
        return scores.detach().scatter(1, criterion.target_classes.raw[:, None], -inf).argmax(dim=1)
    label: Tensor = criterion.labels.raw
    return label
