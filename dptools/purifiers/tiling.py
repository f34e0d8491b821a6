"""Images larger than a fit should be: restored in overlapping tiles, of which each fades into the next."""

from dataclasses import dataclass

import torch
from torch import Tensor

OVERLAP = 8
"""The part of a tile's side, one in so many, over which two tiles fade into each other."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Tensor) -> Tensor:
        """What lies in it, a view."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]


def tiles(height: int, width: int, side: int) -> list[Tile]:
    """Tiles no longer than ``side`` that cover an image, row by row, all of one size, evenly spread, and no larger than
    their overlap needs."""
    rows, columns = _spans(height, side), _spans(width, side)
    return [Tile(top, left, tall, wide) for top, tall in rows for left, wide in columns]


class Mosaic:
    """An image that is put together of tiles.

    Args:
        like: 1 x 3 x H x W, where the tiles are cut from.
        side: the most pixels of a tile's side.
    """

    def __init__(self, like: Tensor, side: int) -> None:
        _, _, height, width = like.shape
        self.side, self.tiles = side, tiles(height, width, side)
        self.whole, self.weights = torch.zeros_like(like), torch.zeros_like(like[:, :1])

    def add(self, tile: Tile, image: Tensor) -> None:
        """Put a tile in."""
        fade = (_ramp(tile.height, self.side)[:, None] * _ramp(tile.width, self.side)).to(image.device)
        tile.of(self.whole).add_(image * fade)
        tile.of(self.weights).add_(fade)

    def image(self) -> Tensor:
        """The image, once all tiles are in."""
        return self.whole / self.weights


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Starts and lengths along one side of an image."""
    if length <= side:
        return [(0, length)]
    overlap = side // OVERLAP
    count = -(-(length - side) // (side - overlap)) + 1
    side = -(-(length + (count - 1) * overlap) // count)
    return [(round(index * (length - side) / (count - 1)), side) for index in range(count)]


def _ramp(length: int, side: int) -> Tensor:
    """Weights of a tile's rows or columns, that rise from its borders inwards, and are never zero."""
    inwards = torch.arange(1, length + 1).float()
    return torch.minimum(inwards, inwards.flip(0)).clamp(max=max(1, side // OVERLAP))
