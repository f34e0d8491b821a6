"""Training images in memory, and random patches of them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

TILE = 256
"""Side in pixels of the tiles that photographs are cut into."""

STRIDE = 224
"""Pixels from one tile to the next."""

SIDES = (240, 340, 480, 720)
"""Photographs are reduced to these lengths of the shorter side, for training at several scales."""


def read_tiles(folder: Path) -> Tensor:
    """Return all photographs below a folder at all scales, cut into tiles: N x 3 x TILE x TILE uint8.

    Transparent photographs are composited onto grey.

    Raises:
        ValueError: no photograph is large enough.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tiles = [tile for tiles_of_one in pool.map(_tiles, paths) for tile in tiles_of_one]
    if not tiles:
        raise ValueError(f"{folder}: no photograph of {TILE} pixels or more a side")
    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).contiguous()


def patches(tiles: Tensor, count: int, side: int) -> Tensor:
    """Return random patches, count x 3 x side x side float32 in [0, 1], some of them mirrored or changed in colour.

    Args:
        tiles: N x 3 x H x W uint8; random numbers come from its device's generator.
        count: number of patches.
        side: side of a patch, in pixels.
    """
    device = tiles.device
    indices = torch.randint(len(tiles), (count,), device=device)
    top, left = (torch.randint(length - side + 1, (count,), device=device) for length in tiles.shape[-2:])
    rows = (top[:, None] + torch.arange(side, device=device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(side, device=device))[:, None, None, :]
    channels = torch.rand(count, 3, device=device).argsort(1)
    keeps_order = (torch.rand(count, 1, device=device) < 0.7).long()
    channels = keeps_order * torch.arange(3, device=device) + (1 - keeps_order) * channels
    crops = tiles[indices[:, None, None, None], channels[:, :, None, None], rows, columns].float() / 255
    contrast = 1 - 0.4 * torch.rand(count, 1, 1, 1, device=device) * (torch.rand(count, 1, 1, 1, device=device) < 0.3)
    shift = (torch.rand(count, 1, 1, 1, device=device) - 0.5) * (1 - contrast)
    return torch.cat(list(_turned((crops - 0.5) * contrast + 0.5 + shift)))


def _turned(images: Tensor) -> Iterator[Tensor]:
    """Yield the images in four quarters: the second is mirrored, the last is mirrored and transposed."""
    quarters = images.chunk(4)
    for number, part in enumerate(quarters):
        mirrored = part.flip(-1) if number % 2 else part
        yield mirrored.transpose(-1, -2) if number == 3 else mirrored


def _tiles(path: Path) -> list[NDArray[np.uint8]]:
    with Image.open(path) as file:
        image = _opaque(file)
    tiles = []
    for side in SIDES:
        factor = side / min(image.size)
        if factor > 1 and side != SIDES[0]:
            break
        size = [max(TILE, round(length * factor)) for length in image.size]
        pixels = np.asarray(image.resize((size[0], size[1]), Image.Resampling.LANCZOS) if factor < 1 else image)
        tiles += [
            pixels[top : top + TILE, left : left + TILE]
            for top in _starts(pixels.shape[0])
            for left in _starts(pixels.shape[1])
        ]
    return [tile for tile in tiles if tile.shape == (TILE, TILE, 3)]


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    background = Image.new("RGBA", rgba.size, (128, 128, 128, 255))
    return Image.alpha_composite(background, rgba).convert("RGB")


def _starts(length: int) -> list[int]:
    count = max(1, -(-(length - TILE) // STRIDE) + 1)
    return [round(index * max(0, length - TILE) / max(1, count - 1)) for index in range(count)]
