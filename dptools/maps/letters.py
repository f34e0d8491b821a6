"""Letters: the small connected pieces of ink, also of what touches lines, found tile by tile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.maps.ink import LARGEST, ink, without_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    """H x W, dark ink on light paper."""

    Mask = NDArray[np.bool_]
    """H x W."""

    Floats = NDArray[np.float64]

SMALLEST = 12
"""The longer side of a letter's box in pixels, at least."""

TILE, HALO = 2048, 256
"""Sides of what is looked at at once, in pixels; the halo shows every letter of the tile whole."""


@dataclass(frozen=True)
class Letters:
    """Boxes of letters, in pixels: the centres' coordinates, widths and heights, N of each."""

    x: "Floats"
    y: "Floats"
    width: "Floats"
    height: "Floats"

    def __len__(self) -> int:
        return len(self.x)

    @property
    def centres(self) -> "Floats":
        """N x 2."""
        return np.stack([self.x, self.y], 1)

    @property
    def sizes(self) -> "Floats":
        """The longer sides of the boxes."""
        return np.maximum(self.width, self.height)

    def pieces(self, ink: "Mask") -> "Mask":
        """The ink of the letters: every connected piece of which a letter's box is the box."""
        from scipy.ndimage import find_objects, label

        numbered, _ = label(ink, np.ones((3, 3)))
        boxes = {
            (rows.start + rows.stop, cols.start + cols.stop, cols.stop - cols.start, rows.stop - rows.start): number
            for number, (rows, cols) in enumerate(find_objects(numbered), 1)
        }
        places = zip(2 * self.y, 2 * self.x, self.width, self.height, strict=True)
        kept = np.zeros(len(boxes) + 1, bool)
        kept[[boxes[place] for place in places if place in boxes]] = True
        mask: Mask = kept[numbered]
        return mask


def find_letters(grey: "Grey", sensitivity: float) -> "tuple[Letters, Mask]":
    """What may be letters, and the ink without lines, in which they stand.

    Args:
        sensitivity: k of the threshold; the lower, the fainter the ink that is seen.
    """
    freed, boxes = np.zeros(grey.shape, bool), [np.zeros((0, 4))]
    for top, left in _corners(*grey.shape):
        above, before = max(0, top - HALO), max(0, left - HALO)
        seen = ink(grey[above : top + TILE + HALO, before : left + TILE + HALO], sensitivity)
        seen = without_lines(seen, longest_stroke(_boxes(seen)))
        core = (slice(top, top + TILE), slice(left, left + TILE))
        freed[core] = seen[top - above :, left - before :][:TILE, :TILE]
        found = _boxes(seen) + np.array([before, above, 0, 0])
        boxes.append(found[(found[:, :2] // TILE == (left // TILE, top // TILE)).all(1)])
    return Letters(*np.concatenate(boxes).T), freed


def longest_stroke(boxes: "Floats") -> float:
    """The extent in pixels beyond which a stroke belongs to no letter, by the sizes of what stands free."""
    if not len(boxes):
        return LARGEST
    return max(48.0, 2.2 * float(np.percentile(boxes[:, 2:].max(1), 75)))


def _corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield top, left


def _boxes(seen: "Mask") -> "Floats":
    """Centre and size, N x 4, of each connected piece that a letter could be."""
    from skimage.measure import label, regionprops

    kept = []
    for piece in regionprops(label(seen, connectivity=2)):
        top, left, bottom, right = piece.bbox
        if SMALLEST <= max(bottom - top, right - left) <= LARGEST and piece.area >= 40 and not _dash(piece):
            kept.append(((left + right) / 2, (top + bottom) / 2, right - left, bottom - top))
    return np.array(kept, float).reshape(-1, 4)


def _dash(piece: Any) -> bool:
    return bool(piece.axis_major_length > 9 * max(piece.axis_minor_length, 1))
