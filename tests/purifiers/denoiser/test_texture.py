"""Texture: like the one that was removed, and none where nothing was removed."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dptools.purifiers import Denoiser, load
from dptools.purifiers.denoiser import DENOISER
from dptools.purifiers.denoiser.texture import Texture

ALL = Texture(share=0.4, shifted=10 / 255, grain=4 / 255)


def added(texture: Texture, image: Tensor, output: Tensor, seed: int = 0) -> Tensor:
    return texture.add(image, output, torch.Generator().manual_seed(seed)) - output


def noise(deviation: float, size: int = 64) -> Tensor:
    return deviation / 255 * torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(7))


def test_nothing_is_added_where_nothing_was_removed() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(added(ALL, image, image), torch.zeros_like(image))


@pytest.mark.parametrize(("deviation", "share"), [(2, 0.05), (10, 0.25), (20, 0.5), (80, 0.5)])
def test_stronger_noise_adds_more_texture_back_in_place(deviation: float, share: float) -> None:
    removed, output = noise(deviation), torch.full((1, 3, 64, 64), 0.5)
    back = added(Texture(share=0.5), output + removed, output)
    inside = removed.abs() < 1.9 * deviation / 255
    assert torch.allclose(back[inside], share * removed[inside], rtol=0.1, atol=1e-6)


def test_shifted_texture_is_uncorrelated_with_the_removed_part() -> None:
    removed, output = noise(3), torch.full((1, 3, 64, 64), 0.5)
    back = added(Texture(shifted=10 / 255), output + removed, output)
    assert 0.7 < back.std() / removed.std() < 0.9
    together = torch.corrcoef(torch.stack([back.flatten(), removed.flatten()]))
    assert abs(together[0, 1]) < 0.05


def test_grain_is_limited_and_depends_on_the_seed() -> None:
    removed, output = noise(10), torch.full((1, 3, 64, 64), 0.5)
    grain = Texture(grain=5 / 255)
    first, again, other = (added(grain, output + removed, output, seed) for seed in (1, 1, 2))
    assert first.std() == pytest.approx(2.5 / 255, rel=0.05)  # half as much as under fainter noise
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_impulse_noise_does_not_come_back() -> None:
    output = torch.full((1, 3, 64, 64), 0.5)
    image = output + noise(1)
    image[..., ::8, ::8] = 1.0
    assert added(ALL, image, output).abs().max() < 12 / 255


def test_a_flat_image_stays_nearly_flat() -> None:
    restored = load("denoiser")(torch.full((1, 3, 64, 64), 0.4))
    assert (restored - 0.4).std() < 1.5 / 255


def test_a_grey_image_stays_grey() -> None:
    grey = torch.rand(1, 1, 40, 40).expand(1, 3, 40, 40)
    restored = load("denoiser")(grey)
    assert torch.equal(restored[:, 0], restored[:, 2])


def test_texture_is_the_same_across_tiles() -> None:
    smooth = torch.linspace(0.2, 0.8, 200).expand(1, 3, 200, 200)
    image = smooth + noise(3, 200)
    added = Denoiser(replace(DENOISER, tile=100))(image) - smooth
    inside, across = added[..., 20:80, 20:80].std(), added[..., 90:110, 90:110].std()
    assert across / inside == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (3, 200)])
def test_a_tiny_image_gets_no_shifted_texture(size: tuple[int, int]) -> None:
    removed, output = noise(3)[..., : size[0], : size[1]], torch.full((1, 3, *size), 0.5)[..., :64]
    assert not added(Texture(shifted=10 / 255), output + removed, output).any()
