"""A batch of images under attack, with the classifier, the labels and the query counts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from foolbox import PyTorchModel
from foolbox.criteria import Misclassification, TargetedMisclassification
from torch import Tensor, nn

from dptools.attacks.query_counter import QueryCounter, StopCriterion, query_in_batches


class AttackBatch:
    """Images under attack.

    Attributes:
        classifier: Maps images in [0, 1] to logits.
        images: B x 3 x H x W, multiples of 1/255 in [0, 1].
        labels: B true classes.
        target: Target class; None for an untargeted attack.
        seeds: B seeds for random draws.
        num_images: Number of images under attack. The rows after them are padding.
        counted: The classifier as a module that counts queries; it has the same requirements as ``model``.
        queries: Number of queried images for each row. Consecutive repetitions and cached logits do not count.
        model: The classifier for Foolbox. Its input must have B rows, in the order of the images. It calls the
            classifier with ``query_batch_size`` images at once.
    """

    def __init__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Sequence[int],
        *,
        seeds: Sequence[int],
        target: int | None = None,
        query_batch_size: int | None = None,
        num_images: int | None = None,
    ) -> None:
        self.classifier, self.images, self.seeds, self.target = classifier, images, tuple(seeds), target
        self.num_images = len(images) if num_images is None else num_images
        self.labels = torch.tensor(list(labels), device=images.device)
        self.counted = QueryCounter(classifier, len(images), query_batch_size)
        self.model = PyTorchModel(self.counted, bounds=(0, 1), device=images.device)
        self.queries = self.counted.queries
        self._known_scores: list[dict[int, Tensor]] = [{} for _ in images]

    @property
    def criterion(self) -> Misclassification | TargetedMisclassification:
        """Foolbox's success criterion."""
        if self.target is None:
            return Misclassification(self.labels)
        return TargetedMisclassification(torch.full_like(self.labels, self.target))

    def generator(self, row: int) -> torch.Generator:
        """Return a new generator with the row's seed. It is on the CPU, so the numbers do not depend on the device."""
        return torch.Generator().manual_seed(self.seeds[row])

    @contextmanager
    def stop_when(self, criterion: StopCriterion) -> Iterator[None]:
        """Let ``model`` raise Stopped as soon as a criterion is met.

        Args:
            criterion: Called after each query with the images and their logits.
        """
        previous, self.counted.stop_criterion = self.counted.stop_criterion, criterion
        try:
            yield
        finally:
            self.counted.stop_criterion = previous

    def all_succeed(self, images: Tensor, scores: Tensor) -> bool:
        """Return whether all images, B x 3 x H x W, with these logits are adversarial."""
        return bool(self.criterion(images, scores).all())

    def scores(self, row: int, candidates: Tensor) -> Tensor:
        """Return the logits, K x classes, of K candidates (K x 3 x H x W) for the image in this row.

        Logits are cached unless ``classifier.stochastic`` is true.
        """
        keys = [hash(candidate.cpu().numpy().tobytes()) for candidate in candidates]
        known: dict[int, Tensor] = {} if getattr(self.classifier, "stochastic", False) else self._known_scores[row]
        if new := {key: index for index, key in enumerate(keys) if key not in known}:
            with torch.no_grad():
                known.update(zip(new, query_in_batches(self.classifier, candidates[list(new.values())]), strict=True))
            self.queries[row] += len(new)
        return torch.stack([known[key] for key in keys])

    def margins(self, row: int, candidates: Tensor) -> Tensor:
        """Return the K margins of K candidates (K x 3 x H x W); see :meth:`margins_of`."""
        return self.margins_of(row, self.scores(row, candidates))

    def margins_of(self, row: int, scores: Tensor) -> Tensor:
        """Return the K margins that belong to logits of shape K x classes.

        An image is adversarial if its margin is above 0.

        Without a target, the margin is the largest logit of the other classes minus the logit of the label. With a
        target, it is the logit of the target minus the largest logit of the other classes.
        """
        reference = int(self.labels[row]) if self.target is None else self.target
        others = scores.clone()
        others[:, reference] = -torch.inf
        lead = others.amax(dim=1) - scores[:, reference]
        return lead if self.target is None else -lead

    def margin_gradient(self, row: int, image: Tensor) -> Tensor:
        """Return the gradient of the margin at an image, 1 x 3 x H x W."""
        image = image.detach().requires_grad_()
        self.queries[row] += 1
        margin = self.margins_of(row, query_in_batches(self.classifier, image)).sum()
        (gradient,) = torch.autograd.grad(margin, image)
        return gradient
