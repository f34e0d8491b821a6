"""Purification of large images in overlapping tiles that are blended into each other."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

OVERLAP = 8
"""Neighbouring tiles overlap by the side of a tile divided by this number."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Tensor) -> Tensor:
        """Return this part of an image as a view."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]


def tiles(height: int, width: int, side: int) -> list[Tile]:
    """Return tiles of equal size that cover an image evenly, row by row.

    Args:
        height: height of the image, in pixels.
        width: its width.
        side: the longest side of a tile, in pixels; 0 for one tile.
    """
    side = side or max(height, width)
    rows, columns = _spans(height, side), _spans(width, side)
    return [Tile(top, left, tall, wide) for top, tall in rows for left, wide in columns]


def in_tiles(
    image: Tensor, side: int, purify: Callable[[Tensor, Sequence[int]], Tensor], seed: int, batch: int = 1
) -> Tensor:
    """Purify an image tile by tile, and return it.

    Args:
        image: 1 x 3 x H x W.
        side: the longest side of a tile, in pixels; 0 for no tiles.
        purify: maps tiles, B x 3 x h x w, and one seed per tile to purified tiles of the same shape.
        seed: seed of the first tile. The seeds of the others count up from it.
        batch: number of tiles that are purified at once.
    """
    height, width = image.shape[-2:]
    parts = tiles(height, width, side)

    def outputs() -> Iterator[Tensor]:
        for start in range(0, len(parts), batch):
            if len(parts) > 1:
                logger.info("tile %d of %d", start + 1, len(parts))
            group = torch.cat([tile.of(image) for tile in parts[start : start + batch]])
            yield from torch.split(purify(group, range(seed + start, seed + start + len(group))), 1)

    return blended(image, side, outputs())


def blended(image: Tensor, side: int, outputs: Iterable[Tensor]) -> Tensor:
    """Return the purified tiles of an image, blended into each other.

    Args:
        image: the image, 1 x 3 x H x W.
        side: the longest side of a tile, in pixels; 0 for no tiles.
        outputs: the purified tiles in the order of :func:`tiles`, each 1 x 3 x h x w.
    """
    height, width = image.shape[-2:]
    parts = tiles(height, width, side)
    if len(parts) == 1:
        return next(iter(outputs))
    total, weights = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    for tile, output in zip(parts, outputs, strict=True):
        fade = (_ramp(tile.height, side)[:, None] * _ramp(tile.width, side)).to(image)
        tile.of(total).add_(output * fade)
        tile.of(weights).add_(fade)
    return total / weights


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Return starts and lengths of the tiles along one side of an image."""
    if length <= side:
        return [(0, length)]
    overlap = side // OVERLAP
    count = -(-(length - side) // (side - overlap)) + 1
    side = -(-(length + (count - 1) * overlap) // count)
    return [(round(index * (length - side) / (count - 1)), side) for index in range(count)]


def _ramp(length: int, side: int) -> Tensor:
    """Return one weight per row or column of a tile. Weights rise from the borders inwards and are never zero."""
    inwards = torch.arange(1, length + 1).float()
    return torch.minimum(inwards, inwards.flip(0)).clamp(max=max(1, side // OVERLAP))
