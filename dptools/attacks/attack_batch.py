"""What an attack has to solve: images, what they must not (or must) be taken for, and a classifier to ask."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from foolbox import PyTorchModel
from foolbox.criteria import Misclassification, TargetedMisclassification
from torch import Tensor, nn

from dptools.attacks.query_counter import QueryCounter, in_blocks


class AttackBatch:
    """Images under attack.

    Attributes:
        classifier: images in [0, 1] to scores.
        images: B x 3 x H x W in [0, 1], on the 8-bit lattice.
        labels: B true classes.
        target: the class to reach; None where any other than the label will do.
        seeds: B seeds for what is drawn at random.
        wanted: how many of the images matter; the rest fill the batch.
        model: the classifier for Foolbox; it takes as many images as the problem has, each in its row, and asks about
            ``block`` at once.
    """

    def __init__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Sequence[int],
        *,
        seeds: Sequence[int],
        target: int | None = None,
        block: int | None = None,
        wanted: int | None = None,
    ) -> None:
        self.classifier, self.images, self.seeds, self.target = classifier, images, tuple(seeds), target
        self.wanted = len(images) if wanted is None else wanted
        self.labels = torch.tensor(list(labels), device=images.device)
        self._asked = QueryCounter(classifier, len(images), block)
        self.model = PyTorchModel(self._asked, bounds=(0, 1), device=images.device)
        self._known: list[dict[int, Tensor]] = [{} for _ in images]

    @property
    def queries(self) -> list[int]:
        """For each image, how many images the classifier was asked about; one that is judged again does not count."""
        return self._asked.queries

    @property
    def criterion(self) -> Misclassification | TargetedMisclassification:
        """What Foolbox is to reach."""
        if self.target is None:
            return Misclassification(self.labels)
        return TargetedMisclassification(torch.full_like(self.labels, self.target))

    def generator(self, row: int) -> torch.Generator:
        """The image's own source of randomness; on the CPU, so that every device draws the same."""
        return torch.Generator().manual_seed(self.seeds[row])

    @contextmanager
    def until_all_succeed(self) -> Iterator[None]:
        """Raise AllSucceeded out of the model as soon as it is asked about images that are all adversarial."""
        self._asked.until = self.criterion
        try:
            yield
        finally:
            self._asked.until = None

    def forget(self) -> None:
        """Let go of what was kept for gradients, when no more are asked for."""
        self._asked.forget()

    def scores(self, row: int, candidates: Tensor) -> Tensor:
        """K x classes: scores of candidates, K x 3 x H x W, for the image in this row.

        They are remembered, unless the classifier says that it is ``random``: then each is a fresh answer.
        """
        keys = [hash(each.cpu().numpy().tobytes()) for each in candidates]
        known: dict[int, Tensor] = {} if getattr(self.classifier, "random", False) else self._known[row]
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
