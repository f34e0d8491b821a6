"""The prior: fits smooth images before noise, ends where its rule says, and does the same every time."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from dptools.errors import SampleError, UsageError
from dptools.purifiers.dip import PRESETS, Preset, Step, reconstruct, restore
from dptools.purifiers.dip.losses import LOSSES, MSE, StudentT
from dptools.purifiers.dip.networks import NETWORKS, make_network
from dptools.purifiers.dip.pixels import draw_hidden
from dptools.purifiers.dip.presets import LOSS_NAMES
from dptools.purifiers.dip.reconstruction import Reconstruction
from dptools.purifiers.dip.rules import parse_rule
from dptools.purifiers.dip.stopping import Fixed, HeldOut


def smooth(size: int = 64) -> Tensor:
    """A picture of soft waves, 1 x 3 x size x size."""
    x = torch.linspace(0, 2 * math.pi, size)
    waves = torch.stack([torch.outer(x.sin(), (k * x).cos()) for k in (1, 2, 3)])
    return 0.5 + 0.4 * waves[None]


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10((a - b).square().mean().item())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(64, 96), (1, 1), (8, 8), (33, 57)])
def test_images_of_any_size_come_back_in_their_size(name: str, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    restored = restore(image, Preset(name, "mse", Fixed(2), precision="fp32"), seed=0)
    assert restored.image.shape == image.shape
    assert restored.image.min() >= 0
    assert restored.image.max() <= 1


def test_the_paper_network_is_the_published_one() -> None:
    network = make_network("paper")
    kernels = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    # Five scales of: skip 1x1, down 3x3 twice, merge 3x3 and 1x1; and the last 1x1 to three channels.
    assert len(kernels) == 5 * 5 + 1
    widths = [kernel.out_channels for kernel in kernels]
    assert (widths.count(4), widths.count(128), widths.count(3)) == (5, 20, 1)
    assert kernels[0].in_channels == 32
    code = network.code(torch.rand(1, 3, 64, 64), torch.Generator().manual_seed(0))
    assert code.shape == (1, 32, 64, 64)
    assert code.min() >= 0
    assert code.max() <= 0.1


@pytest.mark.slow
def test_the_fit_gets_nearer_and_the_average_is_smooth() -> None:
    image = smooth()
    torch.manual_seed(0)
    steps = reconstruct(image, make_network("small"), MSE(), generator=torch.Generator().manual_seed(0), held_out=0.1)
    errors = [next(steps) for _ in range(60)]
    assert [step.iteration for step in errors] == list(range(1, 61))
    assert errors[-1].loss < errors[0].loss / 10
    last = errors[-1]
    assert last.error == pytest.approx((last.average - image).square().mean().item(), rel=0.1)
    assert last.held_out is not None
    assert last.held_out == pytest.approx(last.error, rel=0.3)


def test_noise_is_taken_off() -> None:
    clean = smooth(128)
    noisy = (clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    restored = restore(noisy, seed=3)
    assert psnr(restored.image, clean) > psnr(noisy, clean) + 5


def test_salt_and_pepper_is_taken_off() -> None:
    clean = smooth(128)
    draws = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    noisy = torch.where(draws < 0.05, 0.0, torch.where(draws > 0.95, 1.0, clean))
    restored = restore(noisy, seed=3)
    assert psnr(restored.image, clean) > psnr(noisy, clean) + 8


@pytest.mark.parametrize("preset", [Preset("small", "student-t", HeldOut(), iterations=12), "paper"])
def test_the_same_seed_gives_the_same_image(preset: Preset | str) -> None:
    if preset == "paper":
        preset = Preset("paper", "mse", Fixed(3), average=0.0, precision="fp32")
    image = smooth(32)
    before = torch.random.get_rng_state()
    first, again, other = (restore(image, preset, seed=seed).image for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_paper_preset_is_to_the_letter() -> None:
    paper = PRESETS["paper"]
    assert (paper.network, paper.loss, paper.learning_rate, paper.average) == ("paper", "mse", 0.01, 0.0)
    assert paper.rule == Fixed(1750)
    assert paper.rule.held_out == 0


@pytest.mark.parametrize(("scale", "freedom"), [(0.1, 3.0), (0.02, 30.0), (0.5, 1.0)])
def test_student_t_is_the_negative_log_likelihood(scale: float, freedom: float) -> None:
    residual = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 0.2
    loss = StudentT()
    with torch.no_grad():
        loss.log_scale.fill_(math.log(scale))
        loss.log_freedom.fill_(math.log(freedom))
        expected = -scipy.stats.t.logpdf(residual.numpy(), freedom, scale=scale).mean()
        assert loss(residual, torch.tensor(1 / residual.numel())).item() == pytest.approx(expected, rel=1e-4)


def test_losses_are_listed() -> None:
    assert set(LOSSES) == {"mse", "huber", "student-t"} == set(LOSS_NAMES)
    assert LOSSES["mse"]()(torch.tensor([1.0, -3.0]), torch.tensor(0.5)).item() == 5
    assert LOSSES["huber"]()(torch.tensor([0.02, -1.0]), torch.tensor(0.5)).item() == pytest.approx(
        (0.02**2 / 2 + 0.05 * 0.975) / 2
    )


def steps(held_out: list[float], error: float = 0.01) -> Iterator[Step]:
    nothing = torch.zeros(1)
    for iteration, value in enumerate(held_out, start=1):
        yield Step(iteration, nothing, nothing, nothing, loss=0.0, error=error, held_out=value)


def test_held_out_stops_after_its_minimum_and_keeps_that() -> None:
    watch = HeldOut(patience=3).start()
    verdicts = [watch(step) for step in steps([5, 4, 3, 4, 3.5, 3.2, 9])]
    assert [verdict.keep for verdict in verdicts[:6]] == [True, True, True, False, False, False]
    assert [verdict.stop for verdict in verdicts[:6]] == [None] * 5 + ["held-out error past its minimum"]


def test_held_out_keeps_its_minimum_when_the_cap_comes_later() -> None:
    watch = HeldOut(cap=30).start()
    verdicts = [watch(step) for step in [*steps([1.0, 2.0]), *steps([3.0], error=0.0001)]]
    assert [verdict.keep for verdict in verdicts] == [True, False, False]
    assert verdicts[-1].stop == "fidelity of 30 dB reached"


@pytest.mark.parametrize(("side", "count"), [(1, 0), (2, 1), (8, 3), (100, 500)])
def test_five_per_cent_of_the_pixels_are_held_out_but_never_all(side: int, count: int) -> None:
    hidden = draw_hidden(side, side, 0.05, torch.Generator().manual_seed(0))
    assert hidden.sum() == count
    assert not draw_hidden(side, side, 0.0, torch.Generator().manual_seed(0)).any()


def test_an_image_of_one_pixel_is_fitted_too() -> None:
    pixel = torch.full((1, 3, 1, 1), 0.9)
    restored = restore(pixel, Preset("small", "student-t", HeldOut(), iterations=60), seed=0)
    assert (restored.image - pixel).abs().max() < 0.2


def test_held_out_stops_at_its_cap() -> None:
    watch = HeldOut(cap=30).start()
    (verdict,) = [watch(step) for step in steps([1.0], error=0.00099)]
    assert verdict.keep
    assert verdict.stop == "fidelity of 30 dB reached"


def test_a_fit_ends_at_its_most_iterations() -> None:
    restored = restore(smooth(32), Preset("small", "mse", HeldOut(), iterations=4), seed=0)
    assert (restored.iterations, restored.reason) == (4, "most iterations done")


def test_a_fit_that_diverges_is_an_error() -> None:
    image = torch.full((1, 3, 32, 32), float("nan"))
    with pytest.raises(SampleError, match="diverged at iteration 1, with a smaller step too"):
        restore(image, Preset("small", "mse", Fixed(5)), seed=0)


def test_a_fit_that_diverges_is_begun_again_with_a_smaller_step(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unstable(Reconstruction):
        def step(self) -> list[Step]:
            fast = self.settings.learning_rate > 0.005
            return [replace(step, loss=math.nan) if fast and step.iteration == 3 else step for step in super().step()]

    monkeypatch.setattr("dptools.purifiers.dip.fits.Reconstruction", Unstable)
    preset = Preset("small", "mse", Fixed(5))
    seen: list[int] = []
    restored = restore(smooth(32), preset, observe=lambda step: seen.append(step.iteration))
    assert (restored.restarted, restored.iterations, seen) == (True, 5, [1, 2, 1, 2, 3, 4, 5])
    assert torch.equal(restored.image, restore(smooth(32), replace(preset, learning_rate=0.001)).image)


def test_a_fit_that_runs_away_from_the_image_has_diverged() -> None:
    preset = Preset("small", "mse", Fixed(110), learning_rate=1e6, precision="fp32")
    with pytest.raises(SampleError, match=r"diverged at iteration \d+"):
        restore(0.5 + 0.01 * smooth(32), preset)


@pytest.mark.parametrize("text", ["fixed", "fixed:0", "fixed:-1", "fixed:x", "held-out:3", "oracles", "", "fixed:1e3"])
def test_unknown_rules_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="stop rule"):
        parse_rule(text)


def test_rules_are_written_as_they_are_read() -> None:
    for text in ("fixed:1750", "held-out"):
        assert str(parse_rule(text)) == text


def test_presets_refuse_unknown_precisions() -> None:
    with pytest.raises(UsageError, match="unknown precision 'fp8': choose auto, fp32, bf16"):
        Preset("small", "mse", Fixed(1), precision="fp8")


def test_a_constant_image_stays_constant() -> None:
    restored = restore(torch.full((1, 3, 48, 48), 0.25), seed=0)
    assert np.abs(restored.image.numpy() - 0.25).max() < 0.05
