"""Between the pipe's pixels and the domains' tensors."""

import math
from typing import TYPE_CHECKING

from dptools.pipe.sample import Sample

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dptools.pipe.sample import Pixels


def to_tensor(sample: Sample, device: "torch.device") -> "Tensor":
    """1 x 3 x H x W float32 in [0, 1] of a sample's pixels."""
    import torch

    assert sample.pixels is not None
    return torch.tensor(sample.pixels, device=device).permute(2, 0, 1)[None].float() / 255


def to_pixels(image: "Tensor") -> "Pixels":
    """H x W x 3 uint8, rounded, of an image 1 x 3 x H x W in [0, 1]."""
    pixels: Pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return pixels


def psnr(error: float) -> float | None:
    """In dB, of a mean squared error on the [0, 1] scale; None where there is none."""
    return round(-10 * math.log10(error), 2) if error else None
