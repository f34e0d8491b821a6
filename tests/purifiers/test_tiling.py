"""Large images in tiles: nothing is left out, seams do not show, small images stay whole."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dptools.purifiers.dip import Preset, restore
from dptools.purifiers.dip.stopping import Fixed
from dptools.purifiers.tiling import Mosaic, tiles

SIDES = st.integers(1, 300)


@given(height=SIDES, width=SIDES, side=st.integers(8, 100))
def test_what_is_left_alone_comes_back_as_it_was(height: int, width: int, side: int) -> None:
    image = torch.rand(1, 3, height, width)
    mosaic = Mosaic(image, side)
    for tile in mosaic.tiles:
        mosaic.add(tile, tile.of(image))
    assert torch.allclose(mosaic.image(), image, atol=1e-6)


@given(height=SIDES, width=SIDES, side=st.integers(1, 100))
def test_tiles_are_no_larger_than_asked_and_of_one_size(height: int, width: int, side: int) -> None:
    found = tiles(height, width, side)
    (size,) = {(tile.height, tile.width) for tile in found}
    assert size[0] <= min(height, side)
    assert size[1] <= min(width, side)
    assert max(tile.top + tile.height for tile in found) == height
    assert max(tile.left + tile.width for tile in found) == width


def test_each_tile_fades_into_the_next() -> None:
    empty = torch.zeros(1, 3, 64, 200)
    mosaic = Mosaic(empty, 64)
    for number, tile in enumerate(mosaic.tiles):
        mosaic.add(tile, torch.full_like(tile.of(empty), number))
    stripes = mosaic.image()
    steps = stripes[0, 0, 32].diff()
    assert steps.min() >= 0
    assert 0 < steps.max() <= 0.2
    assert (stripes[0, 0, 0, 0], stripes[0, 0, -1, -1]) == (0, 3)


def test_a_large_image_is_restored_in_tiles_each_with_its_own_seed() -> None:
    image = torch.full((1, 3, 40, 100), 0.5)
    preset = Preset("small", "mse", Fixed(2), tile=40)
    seen: list[Tensor] = []
    restored = restore(image, preset, seed=1, observe=lambda step: seen.append(step.output))
    assert (restored.tiles, restored.iterations, restored.image.shape) == (3, 2, image.shape)
    assert len(seen) == 6
    assert not torch.equal(seen[0], seen[2])
    assert restore(image, Preset("small", "mse", Fixed(2), tile=0)).tiles == 1


@pytest.mark.slow
def test_three_thousand_by_two_thousand_pixels_end() -> None:
    restored = restore(torch.rand(1, 3, 2000, 3000), Preset("small", "mse", Fixed(2)))
    assert restored.image.shape == (1, 3, 2000, 3000)
