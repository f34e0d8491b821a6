"""What a pass removes from an image: noise, and texture that is worth keeping."""

import torch
from torch import Tensor

MAD_TO_STD = 1.4826
"""The standard deviation of normal noise divided by its median absolute deviation."""


def noise_level(removed: Tensor) -> Tensor:
    """Return the noise level, float64: an estimate of the standard deviation of what was removed, from its median.

    The median is robust. Impulse noise affects it little, and so do edges and texture, which fill parts of the image.
    """
    return MAD_TO_STD * removed.abs().median().double()


def without_impulses(removed: Tensor) -> Tensor:
    """Return what was removed, clipped to twice its noise level, so that impulse noise does not come back.

    Gradients flow through the noise level too.
    """
    limit = (2 * noise_level(removed)).to(removed.dtype)
    return torch.maximum(torch.minimum(removed, limit), -limit)
