"""Classifier queries: in batches of a fixed size, and counted."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dptools.layers import in_batches

StopCriterion = Callable[[Tensor, Tensor], bool]

# Number of images per classifier call, by device type. It is constant, because the last bits of an image's logits can
# depend on the batch size. On a CPU, one image per call is also the fastest.
QUERY_BATCH_SIZE = {"cpu": 1, "cuda": 16}


def query_batch_size(classifier: nn.Module, device: torch.device) -> int:
    """Return the number of images per call: the classifier's own ``query_batch_size`` or that of the device."""
    size: int = getattr(classifier, "query_batch_size", None) or QUERY_BATCH_SIZE.get(device.type, 1)
    return size


def query_in_batches(classifier: nn.Module, images: Tensor, size: int | None = None) -> Tensor:
    """Return the logits of images, computed in batches of one size; by default, that of :func:`query_batch_size`."""
    return in_batches(classifier, images, size or query_batch_size(classifier, images.device))


class Stopped(Exception):  # noqa: N818  # not an error
    """Raised to end an attack that would continue, because its images meet a criterion.

    Attributes:
        images: The last queried images, B x 3 x H x W.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images


class QueryCounter(nn.Module):
    """A classifier that counts its queries, for use by Foolbox.

    Some attacks compute several gradients at the same images and query them again for each gradient. Once such a
    repetition is seen, the graph of the last query is kept, so that further gradients need no forward pass.

    Attributes:
        queries: Number of queried images for each row. Consecutive repetitions count once.
        stop_criterion: Called after each query with the images and their logits. If it returns true, Stopped is
            raised. None for never.
    """

    def __init__(self, classifier: nn.Module, rows: int, size: int | None = None) -> None:
        """Wrap a classifier, for queries with a number of rows, in batches as of :func:`query_in_batches`."""
        super().__init__()
        self.classifier, self.size = classifier, size
        self.queries = [0] * rows
        self.stop_criterion: StopCriterion | None = None
        self._last_images: Tensor | None = None
        self._keeps_graph = False
        self._graph: tuple[Tensor, Tensor] | None = None
        self.training = classifier.training  # set directly: train() would also change the classifier's submodules

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, B x classes.

        Raises:
            Stopped: The stop criterion is met.
        """
        self._count(images.detach(), needs_gradient=images.requires_grad)
        keep = self._keeps_graph and images.requires_grad
        scores = _KeptGraph.apply(images, self) if keep else query_in_batches(self.classifier, images, self.size)
        if self.stop_criterion is not None and self.stop_criterion(images.detach(), scores.detach()):
            raise Stopped(images.detach())
        return scores

    def graph(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images as a leaf tensor and their logits, computed from that leaf."""
        if self._graph is None or not torch.equal(self._graph[0], images):
            self._graph = None  # frees the old graph before the new one is built
            leaf = images.detach().clone().requires_grad_()
            with torch.enable_grad():
                self._graph = leaf, query_in_batches(self.classifier, leaf, self.size)
        return self._graph

    def release_graph(self) -> None:
        """Free the graph of the last query."""
        self._graph = None

    def _count(self, images: Tensor, *, needs_gradient: bool) -> None:
        last, self._last_images = self._last_images, images.clone()
        if last is None or last.shape != images.shape:
            changed = [True] * len(images)
        elif torch.equal(last, images):
            changed, self._keeps_graph = [False] * len(images), self._keeps_graph or needs_gradient
        else:
            changed = (images != last).flatten(1).any(dim=1).tolist() if len(images) > 1 else [True]
        for row, is_new in enumerate(changed):
            self.queries[row] += is_new


class _KeptGraph(torch.autograd.Function):
    """Logits whose gradient is computed from the counter's graph, which is not freed by the backward pass."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, counter: QueryCounter) -> Tensor:
        ctx.graph = counter.graph(images)
        scores: Tensor = ctx.graph[1].detach().clone()
        return scores

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        images, scores = ctx.graph
        (image_gradient,) = torch.autograd.grad(scores, images, gradient, retain_graph=True)
        return image_gradient, None
