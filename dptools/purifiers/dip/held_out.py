"""The padded size of an image, and the pixels that are held out from a fit for validation."""

import math

import torch
from torch import Tensor


def padded_size(height: int, width: int, divisor: int) -> tuple[int, int]:
    """Return the smallest height and width that a network accepts and that the image fits into.

    At its smallest scale, a network needs two pixels per side for batch normalisation and reflection padding.
    """
    tall, wide = (max(2, math.ceil(side / divisor)) * divisor for side in (height, width))
    return tall, wide


def draw_held_out(height: int, width: int, share: float, generator: torch.Generator) -> Tensor:
    """Return a random mask of held-out pixels, 1 x 1 x H x W bool.

    The mask has about the given share of the pixels. A share above 0 holds out at least one pixel, and leaves at least
    one pixel to the fit. In an image of one pixel, none is held out.
    """
    if not share:
        return torch.zeros(1, 1, height, width, dtype=torch.bool)
    pixels = height * width
    order = torch.randperm(pixels, generator=generator)
    count = min(max(1, round(share * pixels)), pixels - 1)
    return (order < count).view(1, 1, height, width)


def mean_weights(pixels: Tensor) -> Tensor:
    """Return weights, 1 x 1 x H x W, for a mean over all values of the pixels in a mask.

    A weighted sum is faster than gathering the values in each step.
    """
    return pixels.float() / (3 * pixels.sum((1, 2, 3), keepdim=True)).clamp(min=1)
