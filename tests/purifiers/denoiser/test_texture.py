"""What the default preset adds to a restored image: texture like the lost one, and none where nothing was lost."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dptools.purifiers.denoiser.texture import Texture
from dptools.purifiers.dip import PRESETS, restore

ALL = Texture(share=0.4, moved=10 / 255, grain=4 / 255)


def added(texture: Texture, image: Tensor, output: Tensor, seed: int = 0) -> Tensor:
    return texture.added(image, output, torch.Generator().manual_seed(seed)) - output


def noise(deviation: float, size: int = 64) -> Tensor:
    return deviation / 255 * torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(7))


def test_where_nothing_was_taken_off_nothing_is_added() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(added(ALL, image, image), torch.zeros_like(image))


@pytest.mark.parametrize(("deviation", "share"), [(2, 0.05), (10, 0.25), (20, 0.5), (80, 0.5)])
def test_the_stronger_the_noise_the_more_comes_back_at_its_place(deviation: float, share: float) -> None:
    lost, output = noise(deviation), torch.full((1, 3, 64, 64), 0.5)
    back = added(Texture(share=0.5), output + lost, output)
    inside = lost.abs() < 1.9 * deviation / 255
    assert torch.allclose(back[inside], share * lost[inside], rtol=0.1, atol=1e-6)


def test_what_comes_back_beside_its_place_is_in_step_with_nothing() -> None:
    lost, output = noise(3), torch.full((1, 3, 64, 64), 0.5)
    back = added(Texture(moved=10 / 255), output + lost, output)
    assert 0.7 < back.std() / lost.std() < 0.9
    together = torch.corrcoef(torch.stack([back.flatten(), lost.flatten()]))
    assert abs(together[0, 1]) < 0.05


def test_grain_is_no_stronger_than_asked_and_hangs_on_the_seed() -> None:
    lost, output = noise(10), torch.full((1, 3, 64, 64), 0.5)
    grain = Texture(grain=5 / 255)
    first, again, other = (added(grain, output + lost, output, seed) for seed in (1, 1, 2))
    assert first.std() == pytest.approx(2.5 / 255, rel=0.05)  # half as much as under fainter noise
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_impulses_stay_away() -> None:
    output = torch.full((1, 3, 64, 64), 0.5)
    image = output + noise(1)
    image[..., ::8, ::8] = 1.0
    assert added(ALL, image, output).abs().max() < 12 / 255


def test_a_flat_image_stays_nearly_flat() -> None:
    restored = restore(torch.full((1, 3, 64, 64), 0.4)).image
    assert (restored - 0.4).std() < 1.5 / 255


def test_a_grey_image_stays_grey() -> None:
    grey = torch.rand(1, 1, 40, 40).expand(1, 3, 40, 40)
    restored = restore(grey).image
    assert torch.equal(restored[:, 0], restored[:, 2])


def test_texture_is_the_same_across_tiles() -> None:
    smooth = torch.linspace(0.2, 0.8, 200).expand(1, 3, 200, 200)
    image = smooth + noise(3, 200)
    added = restore(image, replace(PRESETS["default"], tile=100)).image - smooth
    inside, across = added[..., 20:80, 20:80].std(), added[..., 90:110, 90:110].std()
    assert across / inside == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (3, 200)])
def test_a_tiny_image_does_not_get_its_noise_back(size: tuple[int, int]) -> None:
    lost, output = noise(3)[..., : size[0], : size[1]], torch.full((1, 3, *size), 0.5)[..., :64]
    assert not added(Texture(moved=10 / 255), output + lost, output).any()
