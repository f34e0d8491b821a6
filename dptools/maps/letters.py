"""Letter candidates: small connected components of the foreground, detected tile by tile."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dptools.maps.foreground import MAX_LETTER, foreground_mask, remove_lines
from dptools.maps.images import Floats, Grey, Mask, tiles

MIN_LETTER, MIN_AREA = 12, 40
"""The longer side of a letter's bounding box is at least 12 pixels, and its area at least 40 pixels."""

TILE, HALO = 2048, 256
"""Side of a tile, and the margin around it that is processed too, in pixels. The margin is larger than a letter, so
that no letter of the tile is cut."""


@dataclass(frozen=True)
class Letters:
    """Bounding boxes of N letter candidates, in pixels.

    Attributes:
        x: Columns of the centres, shape N.
        y: Rows of the centres, shape N.
        width: Widths of the boxes, shape N.
        height: Heights of the boxes, shape N.
    """

    x: Floats
    y: Floats
    width: Floats
    height: Floats

    def __len__(self) -> int:
        return len(self.x)

    @property
    def centres(self) -> Floats:
        """Columns and rows of the centres, N x 2."""
        return np.stack([self.x, self.y], 1)

    @property
    def sizes(self) -> Floats:
        """The longer sides of the boxes, shape N."""
        return np.maximum(self.width, self.height)

    def mask(self, foreground: Mask) -> Mask:
        """Return the connected components of a foreground whose bounding boxes are among these boxes."""
        from scipy.ndimage import find_objects, label

        components, _ = label(foreground, np.ones((3, 3)))
        labels = {
            (rows.start + rows.stop, cols.start + cols.stop, cols.stop - cols.start, rows.stop - rows.start): number
            for number, (rows, cols) in enumerate(find_objects(components), 1)
        }
        boxes = zip(2 * self.y, 2 * self.x, self.width, self.height, strict=True)
        selected = np.zeros(len(labels) + 1, bool)
        selected[[labels[box] for box in boxes if box in labels]] = True
        mask: Mask = selected[components]
        return mask


def find_letters(grey: Grey, sensitivity: float) -> tuple[Letters, Mask]:
    """Return the letter candidates of a map, and its foreground without lines, H x W.

    Memory for intermediate results is bounded by the size of a tile.

    Args:
        grey: The map, H x W.
        sensitivity: See :func:`dptools.maps.foreground.foreground_mask`.
    """
    foreground, boxes = np.zeros(grey.shape, bool), [np.zeros((0, 4))]
    for (rows, columns), with_halo, inside in tiles(grey.shape, TILE, HALO):
        tile = foreground_mask(grey[with_halo], sensitivity)
        tile = remove_lines(tile, max_stroke(_letter_boxes(tile)))
        foreground[rows, columns] = tile[inside]
        tile_boxes = _letter_boxes(tile) + np.array([with_halo[1].start, with_halo[0].start, 0, 0])
        boxes.append(tile_boxes[(tile_boxes[:, :2] // TILE == (columns.start // TILE, rows.start // TILE)).all(1)])
    return Letters(*np.concatenate(boxes).T), foreground


def max_stroke(boxes: Floats) -> float:
    """Return the length in pixels above which a stroke cannot belong to a letter.

    Args:
        boxes: Centres and sizes of the letters that touch no line, N x 4.
    """
    if not len(boxes):
        return MAX_LETTER
    return max(48.0, 2.2 * float(np.percentile(boxes[:, 2:].max(1), 75)))


def _letter_boxes(foreground: Mask) -> Floats:
    """Return centre and size, N x 4, of each connected component that can be a letter."""
    from skimage.measure import label, regionprops

    boxes = []
    for component in regionprops(label(foreground, connectivity=2)):
        top, left, bottom, right = component.bbox
        size = max(bottom - top, right - left)
        if MIN_LETTER <= size <= MAX_LETTER and component.area >= MIN_AREA and not _is_dash(component):
            boxes.append(((left + right) / 2, (top + bottom) / 2, right - left, bottom - top))
    return np.array(boxes, float).reshape(-1, 4)


def _is_dash(component: Any) -> bool:
    return bool(component.axis_major_length > 9 * max(component.axis_minor_length, 1))
