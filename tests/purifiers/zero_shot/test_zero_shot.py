"""Zero-shot purification removes noise without any training data, whatever the size of the image."""

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dptools.purifiers import load
from dptools.purifiers.sign_settings import NO_SIGN_STEPS
from dptools.purifiers.zero_shot.contrast import restore_contrast
from dptools.purifiers.zero_shot.network import FilterMixture
from dptools.purifiers.zero_shot.purifier import ZeroShot, neighbours
from dptools.purifiers.zero_shot.settings import ZeroShotSettings
from dptools.purifiers.zero_shot.smoothers import median3

SHORT = ZeroShotSettings(iterations=2, passes=1)


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """A photograph of 128 x 128 pixels."""
    pixels = np.array(data.astronaut()[:256:2, 128:384:2])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def psnr(output: Tensor, clean: Tensor) -> float:
    return float(-10 * (output - clean).square().mean().log10())


def noisy(clean: Tensor, kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if kind == "gaussian":
        return (clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    chance = torch.rand(clean[:, :1].shape, generator=generator)
    return torch.where(chance < 0.05, (chance < 0.025).float(), clean)


@pytest.mark.parametrize(("kind", "gain"), [("gaussian", 4), ("impulses", 5)])
def test_it_removes_noise_that_no_setting_names(photograph: Tensor, kind: str, gain: float) -> None:
    image = noisy(photograph, kind)
    output = load("zero-shot")(image, seeds=[0])
    assert psnr(output, photograph) > psnr(image, photograph) + gain


@pytest.mark.parametrize(("noise_std", "kept"), [(0.02, 0.0), (0.1, 0.4)])
def test_a_part_of_the_texture_comes_back_if_the_noise_is_strong(
    photograph: Tensor, noise_std: float, kept: float
) -> None:
    noise = noise_std * torch.randn(photograph.shape, generator=torch.Generator().manual_seed(1))
    image = photograph + noise
    with_share, without = (ZeroShot(ZeroShotSettings(share=share))(image, seeds=[0]) for share in (0.4, 0.0))
    removed = (image - without).flatten()
    share = float(removed @ (with_share - without).flatten() / removed.square().sum())
    assert share == pytest.approx(kept, abs=0.1)  # Less than 0.4, because outliers are clipped.


def test_sign_steps_remove_more_of_a_dense_perturbation(photograph: Tensor) -> None:
    """The correlation of the error with a perturbation like that of FGSM falls."""
    noise = torch.randn(1, 3, 129, 129, generator=torch.Generator().manual_seed(7))
    perturbation = 8 / 255 * avg_pool2d(noise, 2, stride=1).sign()

    def left(purify: ZeroShot) -> float:
        error = purify(photograph + perturbation, seeds=[0]) - photograph
        return float((error * perturbation).sum() / perturbation.square().sum())

    assert left(ZeroShot()) < 0.5 * left(ZeroShot(ZeroShotSettings(sign_steps=NO_SIGN_STEPS)))


def test_a_clean_photograph_keeps_more_detail_than_with_a_median(photograph: Tensor) -> None:
    output = load("zero-shot")(photograph, seeds=[0])
    assert psnr(output, photograph) > psnr(load("median:5")(photograph), photograph)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 130)])
def test_every_size_is_purified(size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    assert ZeroShot(SHORT)(image).shape == image.shape


def test_a_large_image_is_trained_on_parts_and_purified_in_tiles(photograph: Tensor) -> None:
    large = photograph.repeat(1, 1, 5, 2)
    settings = ZeroShotSettings(iterations=2, passes=1, window=64, tile=128)
    assert psnr(ZeroShot(settings)(large, seeds=[0]), large) > 15


def test_a_grey_image_stays_grey() -> None:
    output = ZeroShot(SHORT)(torch.rand(1, 1, 24, 24).expand(1, 3, 24, 24))
    assert torch.equal(output[:, 0], output[:, 2])


def test_the_median_is_that_of_the_neighbourhood() -> None:
    image = torch.rand(1, 3, 12, 10)
    expected = image.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2).median(-1).values
    assert torch.equal(median3(image)[..., 1:-1, 1:-1], expected)


def test_an_untrained_network_does_not_change_a_flat_image() -> None:
    flat = torch.full((1, 3, 9, 12), 0.3)
    assert torch.allclose(FilterMixture()(flat), flat, atol=1e-6)


def test_weights_and_noise_are_independent(photograph: Tensor) -> None:
    """With the same stream, both would be the same numbers."""
    network = ZeroShot(ZeroShotSettings(iterations=0))._train(photograph, torch.Generator().manual_seed(3))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        same = FilterMixture()
    pairs = zip(network.body.parameters(), same.body.parameters(), strict=True)
    assert not any(torch.equal(one, other) for one, other in pairs)


def test_neighbours_are_different_pixels_of_the_same_cell() -> None:
    height, width = 6, 8
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([rows, columns, rows * width + columns])[None].float()
    first, second = neighbours(image, torch.Generator().manual_seed(0))
    for half in (first, second):
        assert torch.equal((half[0, 0] // 2).long(), torch.arange(3)[:, None].expand(3, 4))
        assert torch.equal((half[0, 1] // 2).long(), torch.arange(4).expand(3, 4))
        assert torch.equal(half[0, 2], half[0, 0] * width + half[0, 1])  # the channels come from the same pixel
    distance = (first - second)[0, :2].abs().sum(0)
    assert torch.equal(distance, torch.ones(3, 4))


def test_blended_noise_costs_no_contrast(photograph: Tensor) -> None:
    weight = 0.4
    faded = (1 - weight) * photograph + weight / 2
    image = faded + weight * (torch.rand(photograph.shape, generator=torch.Generator().manual_seed(0)) - 0.5)
    restored = restore_contrast(faded, image)
    assert psnr(restored, photograph) > psnr(faded, photograph) + 5


def test_an_image_without_noise_keeps_its_low_contrast(photograph: Tensor) -> None:
    faded = 0.5 * photograph + 0.25
    assert torch.equal(restore_contrast(faded, faded), faded)
