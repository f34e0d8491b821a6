"""What an attack has to solve: images, what they must not (or must) be taken for, and a classifier to ask."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from foolbox import PyTorchModel
from foolbox.criteria import Misclassification, TargetedMisclassification
from torch import Tensor, nn

BLOCK = {"cpu": 1, "cuda": 16}
"""How many images a classifier is given at once. Always as many, so that an image's scores, to the last bit, do not
hang on what else is attacked; on a CPU one by one is the fastest too."""


class Problem:
    """Images under attack.

    Attributes:
        classifier: images in [0, 1] to scores.
        images: B x 3 x H x W in [0, 1], on the 8-bit lattice.
        labels: B true classes.
        target: the class to reach; None where any other than the label will do.
        seeds: B seeds for what is drawn at random.
        queries: for each image, how many images the classifier was asked about; one asked about again, right after or
            when it is judged, does not count again.
    """

    def __init__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Sequence[int],
        *,
        seeds: Sequence[int],
        target: int | None = None,
    ) -> None:
        self.classifier, self.images, self.seeds, self.target = classifier, images, tuple(seeds), target
        self.labels = torch.tensor(list(labels), device=images.device)
        self.queries = [0] * len(images)
        self._known: list[dict[int, Tensor]] = [{} for _ in images]
        self._last: Tensor | None = None
        self._stop_early = False

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def model(self) -> PyTorchModel:
        """The classifier for Foolbox; it takes as many images as the problem has, each in its row."""
        return PyTorchModel(_Asked(self.classifier, self._answered), bounds=(0, 1), device=self.images.device)

    @property
    def criterion(self) -> Misclassification | TargetedMisclassification:
        if self.target is None:
            return Misclassification(self.labels)
        return TargetedMisclassification(torch.full_like(self.labels, self.target))

    def generator(self, row: int) -> torch.Generator:
        """The image's own source of randomness; on the CPU, so that every device draws the same."""
        return torch.Generator().manual_seed(self.seeds[row])

    def scores(self, row: int, candidates: Tensor) -> Tensor:
        """K x classes: scores of candidates, K x 3 x H x W, for the image in this row."""
        keys = [hash(each.cpu().numpy().tobytes()) for each in candidates]
        known = self._known[row]
        if new := {key: at for at, key in enumerate(keys) if key not in known}:
            with torch.no_grad():
                known.update(zip(new, in_blocks(self.classifier, candidates[list(new.values())]), strict=True))
            self.queries[row] += len(new)
        return torch.stack([known[key] for key in keys])

    def margins(self, row: int, candidates: Tensor) -> Tensor:
        """K numbers: how far each candidate is beyond the border, in scores; above 0 it is adversarial."""
        return self.margin(row, self.scores(row, candidates))

    def margin(self, row: int, scores: Tensor) -> Tensor:
        """The same of K x classes scores."""
        wanted = int(self.labels[row]) if self.target is None else self.target
        others = scores.clone()
        others[:, wanted] = -torch.inf
        lead = others.amax(dim=1) - scores[:, wanted]
        return lead if self.target is None else -lead

    def margin_gradient(self, row: int, image: Tensor) -> Tensor:
        """The margin's gradient at an image 1 x 3 x H x W, of the same shape."""
        image = image.detach().requires_grad_()
        self.queries[row] += 1
        margin = self.margin(row, in_blocks(self.classifier, image)).sum()
        (gradient,) = torch.autograd.grad(margin, image)
        return gradient

    @contextmanager
    def until_all_succeed(self) -> Iterator[None]:
        """Raise AllSucceeded out of the model as soon as it is asked about images that are all adversarial."""
        self._stop_early = True
        try:
            yield
        finally:
            self._stop_early = False

    def _answered(self, images: Tensor, scores: Tensor) -> None:
        changed = [True] * len(images)
        if self._last is not None and self._last.shape == images.shape:
            changed = (images != self._last).flatten(1).any(dim=1).tolist()
        self._last = images.clone()
        for row, new in enumerate(changed):
            self.queries[row] += new
        if self._stop_early and self.criterion(images, scores).all():
            raise AllSucceeded(images)


class AllSucceeded(Exception):  # noqa: N818  # not an error
    """Every image is adversarial; raised out of an attack that would not notice.

    Attributes:
        images: B x 3 x H x W.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images


class _Asked(nn.Module):
    """The classifier of a problem, as Foolbox asks it."""

    def __init__(self, classifier: nn.Module, tell: Callable[[Tensor, Tensor], None]) -> None:
        super().__init__()
        self.classifier, self.tell = classifier, tell
        self.train(classifier.training)

    def forward(self, images: Tensor) -> Tensor:
        scores = in_blocks(self.classifier, images)
        self.tell(images.detach(), scores.detach())
        return scores


def in_blocks(classifier: nn.Module, images: Tensor) -> Tensor:
    """Scores, asked for in blocks of one size; the last is filled up with copies."""
    size = BLOCK[images.device.type]
    missing = -len(images) % size
    whole = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images
    return torch.cat([classifier(block) for block in torch.split(whole, size)])[: len(images)]
