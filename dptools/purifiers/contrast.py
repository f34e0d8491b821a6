"""Restoration of contrast that an attack took away."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NARROW = 0.5
"""The range of values below which an image has lost contrast. All of 1,000 ImageNet photographs use more."""


def stretched(images: "Tensor", narrow: float = NARROW) -> "Tensor":
    """Return the images; those that use only a narrow range of values are stretched to [0, 1].

    An attack that blends an image with grey leaves a few grey levels. They suffice for a classifier. An image without
    structure, such as an empty page with faint noise, stays: stretching would only amplify the noise.

    Args:
        images: B x 3 x H x W.
        narrow: the range, largest value minus smallest value, below which an image is stretched.
    """
    lowest, highest = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    lost = (highest - lowest < narrow) & (highest > lowest) & _structured(images.detach())
    return (images - lowest * lost) / (highest - lowest).where(lost, 1)


def _structured(images: "Tensor") -> "Tensor":
    """Return whether neighbouring pixels are similar: whether their correlation exceeds 0.5, B x 1 x 1 x 1."""
    differences = (images[..., 1:] - images[..., :-1]).square().mean((1, 2, 3), keepdim=True)
    return differences < images.var((1, 2, 3), keepdim=True, unbiased=False)
