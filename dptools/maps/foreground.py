"""Foreground of a map: pixels darker than the paper, without long lines that touch letters."""

from typing import TYPE_CHECKING

import numpy as np

from dptools.maps.images import Grey, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int32]
    """H x W, the number of the connected component that a pixel belongs to; 0 is the background."""

MAX_LETTER = 120
"""The longest side of a letter's bounding box, in pixels. Lines are removed only from larger components."""

WINDOW = 61
"""Side of the window for the local threshold, in pixels."""

MAX_STROKE_RADIUS = 8
"""Strokes whose half-width exceeds this, in pixels, are too broad for a letter."""

MIN_SPECK = 16
"""Smallest component that can be part of a letter, such as the dot of an i, in pixels."""


def foreground_mask(grey: Grey, sensitivity: float = 0.2) -> Mask:
    """Return the pixels that are darker than their surroundings.

    Source: Sauvola and Pietikäinen, "Adaptive document image binarization" (2000), with R = 128.

    Args:
        grey: The map, H x W.
        sensitivity: The paper's k. Lower values detect fainter text.
    """
    from skimage.filters import threshold_sauvola

    mask: Mask = grey < threshold_sauvola(grey.astype(np.float32), WINDOW, k=sensitivity, r=128)
    return mask


def remove_lines(mask: Mask, max_stroke: float) -> Mask:
    """Return the foreground without roads, rivers, borders and hatching.

    Strokes that are too broad or too long for letters are removed. Strokes are split at the junctions of the skeleton,
    so that a letter that touches a long stroke stays.

    Args:
        mask: The foreground, H x W.
        max_stroke: Longest side of the bounding box of a letter's stroke, in pixels.
    """
    from scipy import ndimage
    from skimage.morphology import skeletonize

    components, _ = ndimage.label(mask, np.ones((3, 3)))
    large = _longer_than(components, MAX_LETTER)[components]
    broad = _broad(large)
    thin = large & ~broad
    skeleton = skeletonize(thin)
    neighbours = ndimage.convolve(skeleton.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant")
    strokes, _ = ndimage.label(skeleton & (neighbours <= 3), np.ones((3, 3)))
    lines: Mask = broad | (thin & _longer_than(strokes, max_stroke)[_nearest_label(strokes)])
    return mask & ~lines


def without_specks(mask: Mask) -> Mask:
    """Return the foreground without connected components of fewer than MIN_SPECK pixels, such as the paper's grain."""
    from scipy import ndimage

    components, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    large: Mask = (sizes >= MIN_SPECK)[components]
    return large


def _broad(mask: Mask) -> Mask:
    """Return the strokes whose half-width exceeds MAX_STROKE_RADIUS, widened by 3 pixels on each side."""
    from scipy.ndimage import distance_transform_edt

    centres = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > MAX_STROKE_RADIUS
    if not centres.any():
        return np.zeros_like(mask)
    broad: Mask = distance_transform_edt(~centres) <= MAX_STROKE_RADIUS + 3
    return broad


def _longer_than(labels: "Labels", length: float) -> Mask:
    """Return for each label whether the component's bounding box is longer than ``length``; false for label 0."""
    from scipy import ndimage

    boxes = ndimage.find_objects(labels)
    return np.array([False, *(max(rows.stop - rows.start, cols.stop - cols.start) > length for rows, cols in boxes)])


def _nearest_label(labels: "Labels") -> "Labels":
    """Return for each pixel the label of the nearest component."""
    from scipy import ndimage

    if not labels.any():
        return labels
    rows, cols = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    nearest: Labels = labels[rows, cols]
    return nearest
