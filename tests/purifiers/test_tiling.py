"""Large images in tiles: every pixel is covered, seams do not show, small images are one tile."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dptools.purifiers.dip import DeepImagePrior, FitSettings, Fixed
from dptools.purifiers.tiling import in_tiles, tiles

SIDES = st.integers(1, 300)


@given(height=SIDES, width=SIDES, side=st.integers(8, 100), batch=st.integers(1, 5))
def test_unchanged_tiles_give_the_image_back(height: int, width: int, side: int, batch: int) -> None:
    image = torch.rand(1, 3, height, width)
    assert torch.allclose(in_tiles(image, side, lambda part, _: part, 0, batch), image, atol=1e-6)


@given(height=SIDES, width=SIDES, side=st.integers(1, 100))
def test_tiles_have_one_size_of_at_most_the_side(height: int, width: int, side: int) -> None:
    parts = tiles(height, width, side)
    (size,) = {(tile.height, tile.width) for tile in parts}
    assert size[0] <= min(height, side)
    assert size[1] <= min(width, side)
    assert max(tile.top + tile.height for tile in parts) == height
    assert max(tile.left + tile.width for tile in parts) == width


def test_each_tile_fades_into_the_next() -> None:
    def numbered(parts: Tensor, seeds: Sequence[int]) -> Tensor:
        return torch.cat([torch.full_like(parts[:1], seed) for seed in seeds])

    stripes = in_tiles(torch.zeros(1, 3, 64, 200), 64, numbered, 0, batch=3)
    steps = stripes[0, 0, 32].diff()
    assert steps.min() >= 0
    assert 0 < steps.max() <= 0.2
    assert (stripes[0, 0, 0, 0], stripes[0, 0, -1, -1]) == (0, 3)


def test_a_large_image_is_fitted_in_tiles_each_with_its_own_seed() -> None:
    image = torch.full((1, 3, 40, 100), 0.5)
    fit = FitSettings(loss="mse", stop=Fixed(2), tile=40)
    seen: list[Tensor] = []
    restored = DeepImagePrior(fit).restore(image, seed=1, observe=lambda step: seen.append(step.output))
    assert (restored.tiles, restored.iterations, restored.image.shape) == (3, 2, image.shape)
    assert len(seen) == 6
    assert not torch.equal(seen[0], seen[2])
    assert DeepImagePrior(FitSettings(loss="mse", stop=Fixed(2), tile=0)).restore(image).tiles == 1


@pytest.mark.slow
def test_an_image_of_six_megapixels_is_fitted() -> None:
    restored = DeepImagePrior(FitSettings(loss="mse", stop=Fixed(2))).restore(torch.rand(1, 3, 2000, 3000))
    assert restored.image.shape == (1, 3, 2000, 3000)
    assert restored.tiles > 1
