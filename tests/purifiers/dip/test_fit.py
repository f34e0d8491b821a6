"""The deep image prior: fits remove noise without training, stop where their criterion says, and are reproducible."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from dptools.errors import SampleError, UsageError
from dptools.purifiers.dip import DIP, PAPER, DeepImagePrior, FitSettings, Fixed, HeldOut, Oracle, Restoration, Step
from dptools.purifiers.dip import fit as module
from dptools.purifiers.dip import steps as fit_steps
from dptools.purifiers.dip.held_out import draw_held_out
from dptools.purifiers.dip.losses import FACTORIES as LOSS_FACTORIES
from dptools.purifiers.dip.losses import StudentT
from dptools.purifiers.dip.networks import FACTORIES, random_network
from dptools.purifiers.dip.settings import LOSSES, NETWORKS


def smooth(size: int = 64) -> Tensor:
    """Return an image of smooth waves, 1 x 3 x size x size."""
    x = torch.linspace(0, 2 * math.pi, size)
    waves = torch.stack([torch.outer(x.sin(), (k * x).cos()) for k in (1, 2, 3)])
    return 0.5 + 0.4 * waves[None]


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10((a - b).square().mean().item())


def restore(image: Tensor, settings: FitSettings, seed: int = 0) -> Restoration:
    return DeepImagePrior(settings).restore(image, seed=seed)


def test_a_fit_from_random_weights_removes_noise() -> None:
    clean = smooth(96)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    restored = restore(noisy, replace(DIP, max_iterations=150), seed=3)
    assert psnr(restored.image, clean) > psnr(noisy, clean) + 5


def test_a_fit_from_random_weights_ignores_impulse_noise() -> None:
    clean = smooth(96)
    chance = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    noisy = torch.where(chance < 0.05, 0.0, torch.where(chance > 0.95, 1.0, clean))
    restored = restore(noisy, replace(DIP, max_iterations=150), seed=3)
    assert psnr(restored.image, clean) > psnr(noisy, clean) + 8


def test_the_oracle_stops_at_the_first_image_with_the_true_label() -> None:
    """A classifier that tells a bright left half from a bright right half; the label is the left."""
    image = torch.full((1, 3, 32, 32), 0.2)
    image[..., :16] = 0.8
    shown: list[bool] = []

    def right(seen: Tensor) -> bool:
        shown.append(bool(seen[..., :16].mean() > seen[..., 16:].mean() + 0.5))
        return shown[-1]

    restored = restore(image, FitSettings(loss="mse", stop=Oracle(right, every=10), max_iterations=400))
    assert restored.reason == "true label found"
    assert restored.iterations == 10 * len(shown)
    assert shown == [False] * (len(shown) - 1) + [True]
    assert len(shown) > 1


def test_a_fit_that_the_oracle_never_accepts_ends_at_its_limit() -> None:
    restored = restore(smooth(32), FitSettings(stop=Oracle(lambda _: False, every=5), max_iterations=10))
    assert (restored.iterations, restored.reason) == (10, "iteration limit reached")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(64, 96), (1, 1), (8, 8), (33, 57)])
def test_images_of_any_size_keep_their_size(name: str, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    restored = restore(image, FitSettings(name, "mse", Fixed(2), precision="fp32"))
    assert restored.image.shape == image.shape
    assert restored.image.min() >= 0
    assert restored.image.max() <= 1


def test_the_paper_network_is_the_published_one() -> None:
    network = random_network("paper", 0)
    kernels = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    # Five scales of: skip 1x1, down 3x3 twice, merge 3x3 and 1x1; and the last 1x1 to three channels.
    assert len(kernels) == 5 * 5 + 1
    widths = [kernel.out_channels for kernel in kernels]
    assert (widths.count(4), widths.count(128), widths.count(3)) == (5, 20, 1)
    assert kernels[0].in_channels == 32
    z = network.draw_input(64, 64, torch.Generator().manual_seed(0))
    assert z.shape == (1, 32, 64, 64)
    assert z.min() >= 0
    assert z.max() <= 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_input_are_independent(name: str) -> None:
    """With the same stream, both would be the same numbers."""
    network = random_network(name, 3)
    z = network.draw_input(256, 256, torch.Generator().manual_seed(3)).flatten()
    for weights in (weights.detach().flatten()[: len(z)] for weights in network.parameters() if weights.numel() > 1000):
        assert torch.corrcoef(torch.stack([weights, z[: len(weights)]]))[0, 1].abs() < 0.2


def test_the_paper_settings_are_the_published_ones() -> None:
    assert (PAPER.network, PAPER.loss, PAPER.learning_rate, PAPER.ema_decay) == ("paper", "mse", 0.01, 0.0)
    assert PAPER.stop == Fixed(1750)
    assert PAPER.stop.held_out == 0


@pytest.mark.slow
def test_the_error_falls_and_the_average_is_measured() -> None:
    image = smooth()
    settings = FitSettings(loss="mse", stop=HeldOut(held_out=0.1))
    steps = fit_steps(image, settings, seed=0)
    seen = [next(steps) for _ in range(60)]
    assert [step.iteration for step in seen] == list(range(1, 61))
    assert seen[-1].loss < seen[0].loss / 10
    last = seen[-1]
    assert last.error == pytest.approx((last.average - image).square().mean().item(), rel=0.1)
    assert last.held_out is not None
    assert last.held_out == pytest.approx(last.error, rel=0.3)


@pytest.mark.parametrize(
    "settings",
    [FitSettings(max_iterations=12), FitSettings("paper", "mse", Fixed(3), ema_decay=0.0, precision="fp32")],
)
def test_the_same_seed_gives_the_same_image(settings: FitSettings) -> None:
    image = smooth(32)
    before = torch.random.get_rng_state()
    first, again, other = (restore(image, settings, seed).image for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("scale", "freedom"), [(0.1, 3.0), (0.02, 30.0), (0.5, 1.0)])
def test_student_t_is_the_negative_log_likelihood(scale: float, freedom: float) -> None:
    residual = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 0.2
    loss = StudentT()
    with torch.no_grad():
        loss.log_scale.fill_(math.log(scale))
        loss.log_freedom.fill_(math.log(freedom))
        expected = -scipy.stats.t.logpdf(residual.numpy(), freedom, scale=scale).mean()
        assert loss(residual, torch.tensor(1 / residual.numel())).item() == pytest.approx(expected, rel=1e-4)


def test_names_and_factories_agree() -> None:
    assert set(LOSS_FACTORIES) == set(LOSSES)
    assert set(FACTORIES) == set(NETWORKS)


def test_mse_and_huber_have_their_textbook_values() -> None:
    assert LOSS_FACTORIES["mse"]()(torch.tensor([1.0, -3.0]), torch.tensor(0.5)).item() == 5
    huber = LOSS_FACTORIES["huber"]()(torch.tensor([0.02, -1.0]), torch.tensor(0.5)).item()
    assert huber == pytest.approx((0.02**2 / 2 + 0.05 * 0.975) / 2)


@pytest.mark.parametrize(("side", "count"), [(1, 0), (2, 1), (8, 3), (100, 500)])
def test_five_per_cent_of_the_pixels_are_held_out_but_never_all(side: int, count: int) -> None:
    hidden = draw_held_out(side, side, 0.05, torch.Generator().manual_seed(0))
    assert hidden.sum() == count
    assert not draw_held_out(side, side, 0.0, torch.Generator().manual_seed(0)).any()


def test_an_image_of_one_pixel_is_fitted_too() -> None:
    pixel = torch.full((1, 3, 1, 1), 0.9)
    restored = restore(pixel, FitSettings(max_iterations=60))
    assert (restored.image - pixel).abs().max() < 0.2


def test_a_fit_ends_at_its_limit() -> None:
    restored = restore(smooth(32), FitSettings(loss="mse", max_iterations=4))
    assert (restored.iterations, restored.reason) == (4, "iteration limit reached")


def test_a_grey_image_stays_grey() -> None:
    grey = torch.rand(1, 1, 40, 40).expand(1, 3, 40, 40)
    restored = restore(grey, FitSettings(stop=Fixed(3))).image
    assert torch.equal(restored[:, 0], restored[:, 2])


def test_a_fit_that_diverges_is_repeated_with_a_smaller_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    def unstable(image: Tensor, settings: FitSettings, *, seed: int) -> Iterator[Step]:
        for step in fit_steps(image, settings, seed=seed):
            fails = settings.learning_rate > 0.005 and step.iteration == 3
            yield replace(step, loss=math.nan) if fails else step

    monkeypatch.setattr(module, "steps", unstable)
    settings = FitSettings(loss="mse", stop=Fixed(5))
    seen: list[int] = []
    restored = DeepImagePrior(settings).restore(smooth(32), seed=0, observe=lambda step: seen.append(step.iteration))
    assert (restored.restarted, restored.iterations, seen) == (True, 5, [1, 2, 1, 2, 3, 4, 5])
    assert torch.equal(restored.image, restore(smooth(32), replace(settings, learning_rate=0.001)).image)


def test_strong_noise_beyond_the_range_is_not_divergence() -> None:
    """Certification adds unclipped noise."""
    noisy = smooth(32) + 1.5 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not restore(noisy, replace(DIP, max_iterations=3)).restarted


def test_a_fit_that_diverges_twice_is_an_error() -> None:
    settings = FitSettings(loss="mse", stop=Fixed(110), max_iterations=110, learning_rate=1e6, precision="fp32")
    with pytest.raises(SampleError, match="diverged, even with a tenth of the learning rate"):
        restore(0.5 + 0.01 * smooth(32), settings)


@pytest.mark.parametrize(("name", "value"), [("precision", "fp8"), ("network", "warm"), ("loss", "l1")])
def test_settings_refuse_unknown_names(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"unknown {name} '{value}': choose "):
        FitSettings(**{name: value})  # type: ignore[arg-type]


def test_one_image_is_fitted_at_a_time() -> None:
    with pytest.raises(ValueError, match=r"expected one image, 1 x 3 x H x W, got \(2, 3, 16, 16\)"):
        DeepImagePrior(DIP).restore(torch.rand(2, 3, 16, 16))


def test_the_progress_of_a_fit_is_logged_for_each_tile(caplog: pytest.LogCaptureFixture) -> None:
    settings = FitSettings(stop=Fixed(10), max_iterations=10, tile=64)
    with caplog.at_level("INFO", logger="dptools"):
        DeepImagePrior(settings).restore(torch.rand(1, 3, 64, 100), seed=0)
    fits = [text for text in caplog.messages if "iteration" in text]
    assert fits == [f"tile {number} of 2, iteration 10 of at most 10" for number in (1, 2)]
