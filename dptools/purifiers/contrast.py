"""Restoration of contrast that an attack took away."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NARROW = 0.5
"""The range of values below which an image has lost contrast. All of 1,000 ImageNet photographs use more."""


def stretched(images: "Tensor", narrow: float = NARROW) -> "Tensor":
    """Return the images; those that use only a narrow range of values are stretched to [0, 1].

    An attack that blends an image with grey leaves a few grey levels. They suffice for a classifier.

    Args:
        images: B x 3 x H x W.
        narrow: the range, largest value minus smallest value, below which an image is stretched.
    """
    lowest, highest = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    lost = (highest - lowest < narrow) & (highest > lowest)
    return (images - lowest * lost) / (highest - lowest).where(lost, 1)
