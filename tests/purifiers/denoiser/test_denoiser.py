"""The denoiser: it removes noise of several kinds, keeps images of all sizes, and passes average."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dptools.errors import UsageError
from dptools.purifiers import Denoiser, load
from dptools.purifiers.denoiser import DENOISER, PHOTO, DenoiserSettings, pretrained
from dptools.purifiers.denoiser.texture import Texture


def smooth(size: int = 128) -> Tensor:
    """Return an image of smooth waves, 1 x 3 x size x size."""
    x = torch.linspace(0, 2 * math.pi, size)
    waves = torch.stack([torch.outer(x.sin(), (k * x).cos()) for k in (1, 2, 3)])
    return 0.5 + 0.4 * waves[None]


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10((a - b).square().mean().item())


@pytest.mark.parametrize("settings", [DENOISER, PHOTO])
def test_gaussian_noise_is_removed(settings: DenoiserSettings) -> None:
    clean = smooth()
    noisy = (clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    assert psnr(Denoiser(settings)(noisy, seeds=[3]), clean) > psnr(noisy, clean) + 5


def test_impulse_noise_is_removed() -> None:
    clean = smooth()
    chance = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    noisy = torch.where(chance < 0.05, 0.0, torch.where(chance > 0.95, 1.0, clean))
    assert psnr(load("denoiser")(noisy, seeds=[3]), clean) > psnr(noisy, clean) + 8


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 57), (64, 96)])
def test_images_of_any_size_keep_their_size(size: tuple[int, int]) -> None:
    assert load("denoiser")(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_more_passes_vary_less() -> None:
    """The mean of eight passes varies about a third as much between seeds as one pass."""
    image = smooth(64)

    def spread(passes: int) -> float:
        purify = Denoiser(DenoiserSettings(passes=passes, noise_std=24 / 255))
        outputs = torch.cat([purify(image, seeds=[seed]) for seed in range(6)])
        return float(outputs.std(dim=0).mean())

    assert spread(8) < 0.5 * spread(1)


def test_one_pass_without_noise_is_the_network_itself() -> None:
    image = smooth(64)
    with torch.no_grad():
        expected = pretrained()(image)
    assert torch.equal(Denoiser(replace(PHOTO, precision="fp32"))(image), expected.clamp(0, 1))


def test_a_constant_image_stays_nearly_constant() -> None:
    assert (load("denoiser")(torch.full((1, 3, 48, 48), 0.25)) - 0.25).abs().max() < 0.05


def test_tiles_differ_little_from_the_whole() -> None:
    image = smooth(160)
    whole, tiled = (Denoiser(replace(PHOTO, tile=tile))(image) for tile in (0, 100))
    assert psnr(whole, tiled) > 40


def test_settings_refuse_unknown_precisions() -> None:
    with pytest.raises(UsageError, match="unknown precision 'fp8': choose auto, fp32, bf16"):
        DenoiserSettings(precision="fp8")


def test_the_grain_is_independent_of_the_noise_of_the_passes() -> None:
    """A single pass over an image whose sides need no padding draws as many numbers as the grain."""
    image = smooth(64) + 0.01 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    grainy = replace(DENOISER, passes=1, texture=Texture(grain=4 / 255))
    grain = Denoiser(grainy)(image, seeds=[7]) - Denoiser(replace(grainy, texture=None))(image, seeds=[7])
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(7))
    assert grain.std() > 0.001
    assert abs(torch.corrcoef(torch.stack([grain.flatten(), noise.flatten()]))[0, 1]) < 0.05
