"""The classifier as attacks ask it: always in blocks of one size, and counting."""

from typing import Any

import torch
from foolbox.criteria import Criterion
from torch import Tensor, nn

BLOCK = {"cpu": 1, "cuda": 16}
"""How many images a classifier is given at once. Always as many, so that an image's scores, to the last bit, do not
hang on what else is attacked; on a CPU one by one is the fastest too. A classifier may have its own ``block``."""


def block_size(classifier: nn.Module, device: torch.device) -> int:
    """How many images to ask this classifier about at once."""
    size: int = getattr(classifier, "block", BLOCK[device.type])
    return size


def in_blocks(classifier: nn.Module, images: Tensor, size: int | None = None) -> Tensor:
    """Scores, asked for in blocks of one size; the last is filled up with copies."""
    size = size or block_size(classifier, images.device)
    missing = -len(images) % size
    whole = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images
    return torch.cat([classifier(block) for block in torch.split(whole, size)])[: len(images)]


class AllSucceeded(Exception):  # noqa: N818  # not an error
    """Every image is adversarial; raised out of an attack that would not notice.

    Attributes:
        images: B x 3 x H x W.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images


class QueryCounter(nn.Module):
    """A classifier for Foolbox, asked about the images of a problem, each in its row.

    Some attacks want several gradients at the same images, and ask about the images again for each. Of those the last
    answer's graph is kept, so that only the gradient is new.

    Attributes:
        queries: for each row, the images asked about; one asked about twice on end counts once.
        until: the criterion by which AllSucceeded is raised; None for never.
    """

    def __init__(self, classifier: nn.Module, rows: int, block: int | None = None) -> None:
        """
        Args:
            block: how many images to ask about at once; None for what is usual.
        """
        super().__init__()
        self.classifier, self.block = classifier, block
        self.queries = [0] * rows
        self.until: Criterion | None = None
        self._last: Tensor | None = None
        self._repeats = False
        self._graph: tuple[Tensor, Tensor] | None = None
        self.train(classifier.training)

    def forward(self, images: Tensor) -> Tensor:
        self._count(images.detach(), graded=images.requires_grad)
        keep = self._repeats and images.requires_grad
        scores = _Answer.apply(images, self) if keep else in_blocks(self.classifier, images, self.block)
        if self.until is not None and self.until(images.detach(), scores.detach()).all():
            raise AllSucceeded(images.detach())
        return scores

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The images as a leaf, and their scores with the graph between them."""
        if self._graph is None or not torch.equal(self._graph[0], images):
            self._graph = None  # no two graphs at a time
            leaf = images.detach().clone().requires_grad_()
            with torch.enable_grad():
                self._graph = leaf, in_blocks(self.classifier, leaf, self.block)
        return self._graph

    def forget(self) -> None:
        """Let go of the last answer's graph."""
        self._graph = None

    def _count(self, images: Tensor, *, graded: bool) -> None:
        last, self._last = self._last, images.clone()
        if last is None or last.shape != images.shape:
            changed = [True] * len(images)
        elif torch.equal(last, images):
            changed, self._repeats = [False] * len(images), self._repeats or graded
        else:
            changed = (images != last).flatten(1).any(dim=1).tolist() if len(images) > 1 else [True]
        for row, new in enumerate(changed):
            self.queries[row] += new


class _Answer(torch.autograd.Function):
    """Scores of images, whose gradient comes from a graph that outlives it."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, asked: QueryCounter) -> Tensor:
        ctx.graph = asked.answer(images)
        scores: Tensor = ctx.graph[1].detach().clone()
        return scores

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        images, scores = ctx.graph
        (found,) = torch.autograd.grad(scores, images, gradient, retain_graph=True)
        return found, None
