"""Conversion of images from floating-point numbers to 8-bit pixels."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def to_pixels(images: "Tensor") -> "NDArray[np.uint8]":
    """Return images, ... x 3 x H x W in [0, 1], as ... x H x W x 3 uint8; values are clamped and rounded."""
    pixels: NDArray[np.uint8] = (images.detach().clamp(0, 1) * 255).round().byte().movedim(-3, -1).cpu().numpy()
    return pixels
