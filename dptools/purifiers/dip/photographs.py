"""Photographs to learn from, and random pieces of them."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Pixels = NDArray[np.uint8]

PIECE = 112
"""Side of a piece in pixels."""

SIDES = (240, 340, 480, 680, 960)
"""Shorter sides that photographs are scaled down to: what fills an image at one scale is texture at another."""

CUT_OUT_SIDES = (180, 260, 400)
"""Longer sides of cut-out objects, those with transparency."""


def read(folder: Path, draw: random.Random) -> list[Pixels]:
    """All photographs below a folder, at all scales; cut-out objects before pieces of the other ones.

    Raises:
        ValueError: there is no photograph large enough.
    """
    photographs: list[Pixels] = []
    cut_outs: list[Path] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")):
        with Image.open(path) as image:
            if image.has_transparency_data:
                cut_outs.append(path)
            else:
                photographs += _scales(image)
    if not photographs:
        raise ValueError(f"{folder}: no photograph of {SIDES[0]} pixels or more a side")
    return photographs + [scene for path in cut_outs for scene in _before(path, photographs, draw)]


def piece(photographs: list[Pixels], draw: random.Random) -> Tensor:
    """A random piece, turned, mirrored, and at times with colours exchanged or less contrast: 3 x PIECE x PIECE."""
    areas = [min(4.0, photograph.shape[0] * photograph.shape[1] / 1e5) for photograph in photographs]
    whole = draw.choices(photographs, areas)[0]
    top, left = (draw.randrange(side - PIECE + 1) for side in whole.shape[:2])
    cut = np.rot90(whole[top : top + PIECE, left : left + PIECE], draw.choice((0, 0, 0, 1, 2, 3)))
    cut = cut[:, ::-1] if draw.random() < 0.5 else cut
    cut = cut[..., draw.sample(range(3), 3)] if draw.random() < 0.3 else cut
    image = torch.from_numpy(cut.copy()).permute(2, 0, 1).float() / 255
    if draw.random() < 0.3:
        contrast = draw.uniform(0.6, 1)
        image = (image - 0.5) * contrast + 0.5 + draw.uniform(-0.5, 0.5) * (1 - contrast)
    return image


def _scales(image: Image.Image) -> Iterator[Pixels]:
    colours = image.convert("RGB")
    for side in SIDES:
        if min(colours.size) >= side:
            factor = side / min(colours.size)
            size = round(colours.width * factor), round(colours.height * factor)
            yield np.asarray(colours.resize(size, Image.Resampling.LANCZOS))


def _before(path: Path, photographs: list[Pixels], draw: random.Random) -> Iterator[Pixels]:
    """A cut-out object in the middle of random pieces of photographs."""
    with Image.open(path) as file:
        image = file.convert("RGBA")
    for side in CUT_OUT_SIDES:
        cut_out = image.copy()
        cut_out.thumbnail((side, side), Image.Resampling.LANCZOS)
        width, height = (max(130, length + 20) for length in cut_out.size)
        large = [other for other in photographs if other.shape[0] >= height and other.shape[1] >= width]
        if max(image.size) < side or min(cut_out.size) < 40 or not large:
            continue
        behind = draw.choice(large)
        top, left = draw.randrange(behind.shape[0] - height + 1), draw.randrange(behind.shape[1] - width + 1)
        scene = Image.fromarray(behind[top : top + height, left : left + width])
        scene.paste(cut_out, ((width - cut_out.width) // 2, (height - cut_out.height) // 2), cut_out)
        yield np.asarray(scene)
