"""Networks on other machines: scores without gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dptools.classifiers.answers import Answer
from dptools.classifiers.classifier import Classifier, Geometry, Pixels
from dptools.errors import SampleError

Ask = Callable[[Tensor], Tensor]
"""Scores, one for each class, of one image 3 x H x W."""


class Remote(nn.Module):
    """A network that is asked about one image after the other."""

    def __init__(self, host: str, ask: Ask) -> None:
        super().__init__()
        self.host, self.ask = host, ask

    def forward(self, images: Tensor) -> Tensor:
        """Scores, B x classes, of images B x 3 x H x W."""
        scores: Tensor = _WithoutGradient.apply(images, self)
        return scores


class _WithoutGradient(torch.autograd.Function):
    """What says so where a gradient is wanted."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, remote: Remote) -> Tensor:
        ctx.host = remote.host
        return torch.stack([remote.ask(image.detach().cpu()) for image in images]).to(images.device)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        raise SampleError("NoGradient", f"{ctx.host} gives no gradients: choose an attack that asks for classes only")


class RemoteClassifier(Classifier):
    """A classifier whose network is a service's."""

    remote = True

    def answers(self, images: Sequence[Pixels]) -> Sequence[Answer]:
        return [answer for pixels in images for answer in super(RemoteClassifier, self).answers([pixels])]


class Whole(Geometry):
    """For a service that brings images to its size itself: as they are."""

    def __call__(self, pixels: Pixels) -> Pixels:
        return pixels
