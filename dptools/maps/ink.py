"""Ink: what is dark on a map's paper, and without the lines that run through its letters."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

LARGEST = 120
"""The longer side of a letter's box in pixels, at most. Nothing is taken out of what is no larger."""

WINDOW = 61
"""Side in pixels of the neighbourhood that a pixel is compared with."""

BROAD = 8
"""Half the width in pixels from which a stroke is too broad for a letter."""


def ink(grey: "Grey", sensitivity: float = 0.2) -> "Mask":
    """Where a map is darker than its surroundings.

    Source: Sauvola and Pietikäinen, Adaptive document image binarization (2000), with R = 128.

    Args:
        grey: H x W.
        sensitivity: their k.
    """
    from skimage.filters import threshold_sauvola

    mask: Mask = grey < threshold_sauvola(grey.astype(np.float32), WINDOW, k=sensitivity, r=128)
    return mask


def without_lines(mask: "Mask", longest: float) -> "Mask":
    """The ink without what is broader or longer than letters' strokes: roads, rivers, borders, and hatching.

    A line is taken out from junction to junction of its skeleton, so that a letter that touches it stays.

    Args:
        longest: extent in pixels of a letter's strokes at most.
    """
    from scipy import ndimage
    from skimage.morphology import skeletonize

    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    large = _longer(pieces, LARGEST)[pieces]
    broad = _broad(large)
    thin = large & ~broad
    skeleton = skeletonize(thin)
    neighbours = ndimage.convolve(skeleton.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant")
    strokes, _ = ndimage.label(skeleton & (neighbours <= 3), np.ones((3, 3)))
    gone: Mask = broad | (thin & _longer(strokes, longest)[_nearest(strokes)])
    return mask & ~gone


def _broad(mask: "Mask") -> "Mask":
    """What a disk of radius BROAD fits into, and three pixels around it."""
    from scipy.ndimage import distance_transform_edt

    middle = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > BROAD
    if not middle.any():
        return np.zeros_like(mask)
    near: Mask = distance_transform_edt(~middle) <= BROAD + 3
    return near


def _longer(pieces: "NDArray[np.int32]", longest: float) -> "Mask":
    """By a piece's number, whether its box is longer than that; piece 0 is the background."""
    from scipy import ndimage

    boxes = ndimage.find_objects(pieces)
    return np.array([False, *(max(rows.stop - rows.start, cols.stop - cols.start) > longest for rows, cols in boxes)])


def _nearest(pieces: "NDArray[np.int32]") -> "NDArray[np.int32]":
    """For each pixel, the number of the piece next to it."""
    from scipy import ndimage

    if not pieces.any():
        return pieces
    rows, cols = ndimage.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    nearest: NDArray[np.int32] = pieces[rows, cols]
    return nearest
