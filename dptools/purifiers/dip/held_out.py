"""Pixels that a fit does not see: held out for validation, or added at the borders."""

import math

import torch
from torch import Tensor


def padded_size(height: int, width: int, divisor: int) -> tuple[int, int]:
    """Return the smallest size that a network accepts, at least an image's own.

    At its smallest scale a network needs two pixels a side, for batch normalisation and reflection padding.
    """
    tall, wide = (max(2, math.ceil(side / divisor)) * divisor for side in (height, width))
    return tall, wide


def draw_held_out(height: int, width: int, share: float, generator: torch.Generator) -> Tensor:
    """Return which pixels are held out, 1 x 1 x H x W: a share of them, at least one, but never the only one."""
    if not share:
        return torch.zeros(1, 1, height, width, dtype=torch.bool)
    pixels = height * width
    order = torch.randperm(pixels, generator=generator)
    count = min(max(1, round(share * pixels)), pixels - 1)
    return (order < count).view(1, 1, height, width)


def mean_weights(pixels: Tensor) -> Tensor:
    """Return weights 1 x 1 x H x W for a mean over the three values of each of these pixels.

    A sum of products is faster than gathering the values in each step.
    """
    return pixels.float() / (3 * pixels.sum((1, 2, 3), keepdim=True)).clamp(min=1)
