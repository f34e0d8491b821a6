"""Pixels that a fit does not see: those held out, and those added at the borders."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad


def padded(image: Tensor, multiple: int) -> Tensor:
    """The images with sides that the network works at: multiples, and at the smallest scale at least the two pixels
    that BatchNorm and reflected borders need. What is added at the right and the bottom stands in no loss."""
    height, width = image.shape[-2:]
    right, below = (max(2, math.ceil(side / multiple)) * multiple - side for side in (width, height))
    return pad(image, (0, right, 0, below), mode="replicate")


def draw_hidden(height: int, width: int, share: float, generator: torch.Generator) -> Tensor:
    """Which pixels are held out, 1 x 1 x H x W: the share of them, at least one, but never the only one."""
    if not share:
        return torch.zeros(1, 1, height, width, dtype=torch.bool)
    pixels = height * width
    order = torch.randperm(pixels, generator=generator)
    wanted = min(max(1, round(share * pixels)), pixels - 1)
    return (order < wanted).view(1, 1, height, width)


def filled(image: Tensor, hidden: Tensor) -> Tensor:
    """The image with each hidden pixel replaced by the mean of the seen ones around it, so that it betrays nothing."""
    if not hidden.any():
        return image
    seen = (~hidden).float()
    around = avg_pool2d(image * seen, 3, 1, 1) / avg_pool2d(seen, 3, 1, 1).clamp(min=1e-6)
    return torch.where(hidden, around, image)


def mean_weights(pixels: Tensor) -> Tensor:
    """For a mean over the three values of each of these pixels, B x 1 x H x W: a sum of products, which needs no
    gathering of values in every step."""
    return pixels.float() / (3 * pixels.sum((1, 2, 3), keepdim=True)).clamp(min=1)
