"""The denoiser: it removes noise of several kinds, in as many passes as needed, and keeps images of all sizes."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dptools.errors import UsageError
from dptools.purifiers import Denoiser, load
from dptools.purifiers.denoiser import DENOISER, FAST, PERCEPTUAL, PHOTO, DenoiserSettings, pretrained


def smooth(size: int = 128) -> Tensor:
    """Return an image of smooth waves, 1 x 3 x size x size."""
    x = torch.linspace(0, 2 * math.pi, size)
    waves = torch.stack([torch.outer(x.sin(), (k * x).cos()) for k in (1, 2, 3)])
    return 0.5 + 0.4 * waves[None]


def noisy(deviation: float, size: int = 128) -> Tensor:
    """Return the image of smooth waves with Gaussian noise of a standard deviation on the 8-bit scale."""
    return smooth(size) + deviation / 255 * torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(7))


def load_denoiser() -> Denoiser:
    """Return the default method."""
    return Denoiser(replace(DENOISER, precision="fp32"))


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10((a - b).square().mean().item())


@pytest.mark.parametrize("settings", [DENOISER, FAST, PERCEPTUAL, PHOTO])
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


def attacked(epsilon: float, size: int = 128) -> Tensor:
    """Return the image of smooth waves, each value changed by plus or minus epsilon / 255.

    Neighbouring values mostly have the same sign, as after FGSM.
    """
    noise = torch.randn(1, 3, size + 1, size + 1, generator=torch.Generator().manual_seed(7))
    return smooth(size) + epsilon / 255 * avg_pool2d(noise, 2, stride=1).sign()


@pytest.mark.parametrize(("deviation", "passes"), [(0, 1), (3, 1), (9, 1), (20, 2), (50, 2)])
def test_the_noise_of_the_image_decides_the_number_of_passes(deviation: float, passes: int) -> None:
    (done,) = load_denoiser().denoise(noisy(deviation), [3])
    assert done.passes == passes
    assert 255 * done.noise_level == pytest.approx(deviation, abs=4)


@pytest.mark.parametrize("epsilon", [8, 16])
@pytest.mark.parametrize("settings", [DENOISER, FAST])
def test_sign_steps_remove_more_of_a_dense_perturbation(settings: DenoiserSettings, epsilon: float) -> None:
    """The correlation of the error with the perturbation falls."""
    texture = noisy(3)
    perturbation = attacked(epsilon) - smooth()

    def left(sign_steps: int) -> float:
        denoiser = Denoiser(replace(settings, sign_steps=replace(settings.sign_steps, steps=sign_steps)))
        error = denoiser(texture + perturbation, seeds=[3]) - texture
        return float((error * perturbation).sum() / perturbation.square().sum())

    assert Denoiser(settings).denoise(texture + perturbation, [3])[0].passes == 4
    assert abs(left(3)) < 0.5 * left(0)


@pytest.mark.parametrize("epsilon", [0, 32])
def test_weak_and_very_strong_perturbations_get_no_sign_steps(epsilon: float) -> None:
    (done,) = load_denoiser().denoise(attacked(epsilon), [3])
    assert done.passes < 4


@pytest.mark.parametrize("strength", [6, 24])
def test_another_strength_gets_no_sign_steps(strength: int) -> None:
    """What tells a dense perturbation from texture was chosen for the default strength."""
    (done,) = load(f"denoiser:{strength}").denoise(attacked(8), [3])  # type: ignore[operator]
    assert done.passes < 4


def test_each_image_of_a_batch_is_treated_by_itself() -> None:
    images = torch.cat([smooth(), attacked(8), noisy(40)])
    together = load_denoiser()(images, seeds=[3, 4, 5])
    for index, image in enumerate(images):
        assert torch.equal(together[index], load_denoiser()(image[None], seeds=[3 + index])[0])


@pytest.mark.parametrize("method", ["fast", "denoiser", "zero-shot"])
def test_lost_contrast_comes_back(method: str) -> None:
    """An attack that blends the image with grey leaves few grey levels."""
    image = (255 * (0.5 + 0.05 * (smooth() - 0.5))).round() / 255
    stretched = (smooth() - smooth().min()) / (smooth().max() - smooth().min())
    assert psnr(load(method)(image, seeds=[3]), stretched) > 20


def test_faint_noise_is_not_amplified() -> None:
    """A page without content has no contrast that was lost."""
    image = 0.9 + 0.01 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert (load("fast")(image, seeds=[3]) - image).abs().mean() < 0.02


@pytest.mark.parametrize("method", ["photo", "perceptual", "smoothing"])
def test_contrast_stays_for_the_eye_and_for_certificates(method: str) -> None:
    image = 0.5 + 0.1 * (smooth() - 0.5)
    assert psnr(load(method)(image), image) > 40


def test_a_share_of_strong_noise_is_added_back() -> None:
    """Classifiers need texture more than they suffer from weak noise."""
    image = noisy(40)
    with_share, without = (Denoiser(replace(DENOISER, share=share))(image, seeds=[3]) for share in (0.4, 0.0))
    removed = image - without
    kept = (with_share - without)[removed.abs() < 60 / 255] / removed[removed.abs() < 60 / 255]
    assert kept.median() == pytest.approx(0.4, abs=0.01)


def test_impulse_noise_does_not_come_back() -> None:
    """It is strong noise, although it leaves most pixels unchanged."""
    image = noisy(1)
    image[..., ::6, ::6] = 1.0
    (done,) = load_denoiser().denoise(image, [3])
    restored = done.image
    assert done.passes == 2
    assert (restored - smooth())[..., ::6, ::6].abs().mean() < 0.2 * (image - smooth())[..., ::6, ::6].abs().mean()


def test_each_pass_adds_other_noise() -> None:
    denoiser, image = load_denoiser(), smooth(64)
    first, second = (denoiser._pass(image, [3], number) for number in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, denoiser._pass(image, [3], 0))


def test_the_strength_is_the_noise_of_a_pass() -> None:
    image = smooth()
    assert load("denoiser:12")(image, seeds=[3]).equal(load("denoiser")(image, seeds=[3]))
    results = [load(method)(image, seeds=[3]) for method in ("denoiser:2", "denoiser:50")]
    assert psnr(results[0], image) > psnr(results[1], image) + 3


def test_a_grey_image_stays_grey() -> None:
    grey = torch.rand(1, 1, 40, 40).expand(1, 3, 40, 40)
    restored = load("denoiser")(grey)
    assert torch.equal(restored[:, 0], restored[:, 2])


def test_one_pass_without_noise_is_the_network_itself() -> None:
    image = smooth(64)
    with torch.no_grad():
        expected = pretrained()(image)
    assert torch.equal(Denoiser(replace(PHOTO, precision="fp32"))(image), expected.clamp(0, 1))


def test_a_constant_image_stays_nearly_constant() -> None:
    change = load_denoiser()(torch.full((1, 3, 48, 48), 0.25), seeds=[3]) - 0.25
    assert change.std() < 3 / 255
    assert change.mean().abs() < 2 / 255


def test_tiles_differ_little_from_the_whole() -> None:
    image = smooth(160)
    whole, tiled = (Denoiser(replace(PHOTO, tile=tile))(image) for tile in (0, 100))
    assert psnr(whole, tiled) > 40


def exact(settings: DenoiserSettings) -> Denoiser:
    """Return the method with its network in fp32."""
    return Denoiser(replace(settings, precision="fp32"))


@pytest.mark.parametrize("settings", [FAST, PERCEPTUAL])
def test_integers_change_an_output_little(settings: DenoiserSettings) -> None:
    image = noisy(12)
    assert 30 < psnr(Denoiser(settings)(image, seeds=[3]), exact(settings)(image, seeds=[3])) < 70


def test_gradients_are_those_of_the_network_in_fp32() -> None:
    gradients = []
    for purify in (load("perceptual"), exact(PERCEPTUAL)):
        image = smooth(64).requires_grad_()
        purify(image, seeds=[3]).square().sum().backward()
        gradients.append(image.grad)
    assert torch.equal(*gradients)  # type: ignore[call-overload]
    assert gradients[0].abs().max() > 0.1


@pytest.mark.parametrize(("image", "passes"), [(noisy(9, 64), 1), (attacked(8, 64), 4), (noisy(40, 64), 2)])
def test_gradients_agree_with_finite_differences(image: Tensor, passes: int) -> None:
    purify, image = load_denoiser().double(), image.double()
    direction = torch.randn(image.shape, generator=torch.Generator().manual_seed(5)).double()
    assert purify.denoise(image, [3])[0].passes == passes

    def value(step: float) -> Tensor:
        output: Tensor = purify(image + step * direction, seeds=[3])
        return output.square().sum()

    leaf = image.clone().requires_grad_()
    purify(leaf, seeds=[3]).square().sum().backward()
    assert leaf.grad is not None
    with torch.no_grad():
        slope = (value(1e-8) - value(-1e-8)) / 2e-8  # larger steps cross the kinks of ReLU
    assert float((leaf.grad * direction).sum()) == pytest.approx(float(slope), rel=1e-4)


def test_integers_do_not_depend_on_batches_threads_and_copies() -> None:
    images, purify, threads = torch.cat([noisy(12), noisy(20)]), load("fast"), torch.get_num_threads()
    together = purify(images, seeds=[3, 4])
    assert torch.equal(together[1:], copy.deepcopy(purify)(images[1:], seeds=[4]))
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert torch.equal(together, purify(images, seeds=[3, 4]))
    finally:
        torch.set_num_threads(threads)


def test_settings_refuse_unknown_precisions() -> None:
    with pytest.raises(UsageError, match="unknown precision 'fp8': choose auto, fp32, bf16"):
        DenoiserSettings(precision="fp8")
