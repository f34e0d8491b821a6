"""Image types of this package, conversions between them, and tiles."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""An RGB image, H x W x 3."""

Grey = NDArray[np.uint8]
"""A greyscale image, H x W, with dark text on light paper."""

Mask = NDArray[np.bool_]
"""A binary image, H x W, true in the foreground."""

Floats = NDArray[np.float64]

Place = tuple[slice, slice]
"""The rows and the columns of a part of an image."""

DARK_GROUND = 90
"""Median grey level below which the ground of a map is dark, so that its text is light."""


def to_grey(pixels: Pixels) -> Grey:
    """Return the luma of an RGB image, with the channel weights of ITU-R BT.601."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def is_dark(grey: Grey) -> bool:
    """Return whether more than half of an image is darker than DARK_GROUND, as on a map with light text."""
    return bool(np.median(grey) < DARK_GROUND)


def enlarge(grey: Grey, scale: float) -> Grey:
    """Return an image resampled to ``scale`` times its width and height, with a Lanczos filter."""
    image = Image.fromarray(grey)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def resize_mask(mask: Mask, width: int, height: int) -> Mask:
    """Return a mask in a smaller size. A pixel is true if at least half of the pixels that it replaces are true."""
    shades = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(shades.resize((width, height), Image.Resampling.BOX)) > 127


def tiles(shape: tuple[int, int], side: int, halo: int) -> Iterator[tuple[Place, Place, Place]]:
    """Yield the place of each tile of an image, its place with a margin, and its place within the latter, in pixels."""
    for top, left in product(range(0, shape[0], side), range(0, shape[1], side)):
        up, before = min(top, halo), min(left, halo)
        yield (
            np.s_[top : top + side, left : left + side],
            np.s_[top - up : top + side + halo, left - before : left + side + halo],
            np.s_[up : up + side, before : before + side],
        )
