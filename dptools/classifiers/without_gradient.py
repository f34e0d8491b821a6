"""Networks that are computed outside of torch, and so have no gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dptools.errors import SampleError


class WithoutGradient(torch.autograd.Function):
    """Computes scores in the forward pass, and raises an error in the backward pass.

    Usage: ``WithoutGradient.apply(images, compute, name)``. ``compute`` maps images without a graph to scores, and
    ``name`` names the model in the message.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, compute: Callable[[Tensor], Tensor], name: str) -> Tensor:
        ctx.name = name
        return compute(images.detach())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        raise SampleError("NoGradient", f"{ctx.name} gives no gradients: choose an attack that needs none")
