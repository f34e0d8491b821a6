"""The options of dp-denoise, and the settings that follow from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dptools.errors import UsageError
from dptools.pipe.sample import Sample
from dptools.purifiers.dip import Fixed, HeldOut, LossThreshold, Oracle, StoppingCriterion, Variance
from dptools.purifiers.method import parse_method
from dptools.tools.denoise.options import DenoiseOptions
from dptools.tools.denoise.overrides import Overrides
from dptools.tools.denoise.tracing import TraceOptions


@pytest.mark.parametrize(
    ("method", "options", "stop", "iterations"),
    [
        ("dip", {}, HeldOut(), 350),
        ("dip", {"iterations": 50}, HeldOut(), 50),
        ("dip", {"stops": ["fixed:500"]}, Fixed(500), 500),
        ("dip", {"stops": ["fixed:500"], "iterations": 90}, Fixed(500), 90),
        ("paper", {}, Fixed(1750), 1750),
        ("dip", {"stops": ["variance"]}, Variance(), 3000),
        ("dip", {"stops": ["loss:0.001"], "iterations": 500}, LossThreshold(0.001), 500),
        ("dip", {"stops": ["oracle"]}, Oracle(), 3000),
        ("paper", {"iterations": 3000}, Fixed(3000), 3000),
        ("paper", {"stops": ["held-out"], "iterations": 3000}, HeldOut(), 3000),
    ],
)
def test_iterations_are_a_limit_and_the_number_of_a_fixed_stop(
    method: str, options: dict[str, str], stop: StoppingCriterion, iterations: int
) -> None:
    settings = Overrides(**options).fits(parse_method(method))[0]  # type: ignore[arg-type]
    assert (settings.stop, settings.max_iterations) == (stop, iterations)


def test_options_replace_the_settings_of_the_method() -> None:
    settings = Overrides(average=0.9, precision="bf16").fits(parse_method("paper"))[0]
    assert (settings.ema_decay, settings.precision, settings.network) == (0.9, "bf16", "paper")
    assert Overrides(tile=100).denoiser(parse_method("denoiser")).tile == 100


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("denoiser", {"stops": ["fixed:3"]}, "--stop requires a deep image prior: choose --method dip"),
        ("photo", {"iterations": 3}, "--iterations requires a deep image prior"),
        (
            "jpeg:50",
            {"precision": "bf16"},
            "--precision requires a method with a network, and --method jpeg:50 is a filter",
        ),
        ("dip", {"tile": 10}, "the smallest tile is 64 pixels"),
        ("dip", {"network": "warm"}, "unknown network 'warm': choose small, paper, decoder"),
        ("denoiser", {"precision": "fp8"}, "unknown precision 'fp8'"),
        ("cold", {}, "unknown method 'cold'"),
        ("dip", {"stops": ["fixed:3", "plateau", "fixed:3"]}, "--stop fixed:3 is given twice"),
        ("dip", {"stops": ["held-out", "plateau"]}, "--stop held-out hides pixels from the fit"),
    ],
)
def test_options_that_a_method_does_not_have_are_refused(method: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DenoiseOptions(method, Overrides(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "tracing", "message"),
    [
        ("denoiser", TraceOptions(trace=Path("t")), "--trace requires a deep image prior"),
        ("median:3", TraceOptions(keep=Path("k")), "--keep requires a deep image prior"),
        (
            "dip",
            TraceOptions(model="efficientnet-lite0"),
            "--model has no effect without --stop oracle, --trace or --keep",
        ),
    ],
)
def test_traces_are_for_fits(method: str, tracing: TraceOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DenoiseOptions(method, tracing=tracing)


def test_the_oracle_needs_a_classifier() -> None:
    with pytest.raises(UsageError, match="--stop oracle needs a classifier"):
        DenoiseOptions("dip", Overrides(stops=("oracle",)))


def test_several_criteria_cannot_be_combined_with_a_gate() -> None:
    with pytest.raises(UsageError, match="--if-suspect takes one --stop"):
        DenoiseOptions("dip", Overrides(stops=("fixed:2", "fixed:3")), if_suspect=0.5)


def sample(name: str, **more: object) -> Sample:
    pixels = np.random.default_rng(3).integers(0, 255, (48, 48, 3), np.uint8)
    return Sample({"id": name, "path": name, **more}, pixels=pixels)


def test_several_criteria_observe_one_fit_and_give_the_results_of_separate_fits() -> None:
    stops, tracing = ("fixed:4", "loss:0.9", "plateau"), TraceOptions(every=2, trace=Path("unused.jsonl"))
    together = DenoiseOptions("dip", Overrides(stops, iterations=6), tracing)
    assert together.id_suffixes == ("@fixed:4", "@loss:0_9", "@plateau")
    processor = together.load()
    jobs = list(processor.expand(sample("a.png")))
    done = [result for job in jobs for result in processor([job])]
    for stop, result in zip(stops, done, strict=True):
        alone = DenoiseOptions("dip", Overrides((stop,), iterations=6), tracing).load()
        (expected,) = alone([sample("a.png")])
        assert result.pixels is not None
        assert expected.pixels is not None
        assert (result.pixels == expected.pixels).all()
        assert result.record["denoise"] == expected.record["denoise"]
    assert [result.record["denoise"]["stop"]["iterations"] for result in done] == [4, 1, 6]


def test_one_fit_serves_all_criteria(monkeypatch: pytest.MonkeyPatch) -> None:
    from dptools.purifiers.dip import fit

    fits, steps = [], fit.steps

    def counted(*arguments: object, **named: object) -> object:
        fits.append(named["seed"])
        return steps(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(fit, "steps", counted)
    processor = DenoiseOptions("dip", Overrides(("fixed:2", "fixed:3"))).load()
    for name in ("a.png", "b.png"):
        for job in processor.expand(sample(name)):
            assert not next(iter(processor([job]))).failed
    assert len(fits) == 2
    assert len(set(fits)) == 2


def test_a_criterion_without_a_label_fails_alone() -> None:
    tracing = TraceOptions(model="efficientnet-lite0")
    processor = DenoiseOptions("dip", Overrides(("fixed:2", "oracle"), iterations=2), tracing).load()
    fixed, oracle = [next(iter(processor([job]))) for job in processor.expand(sample("x/a.png"))]
    assert not fixed.failed
    assert oracle.record["error"]["message"].startswith("the oracle needs a true label")


def test_one_image_that_cannot_be_fitted_does_not_affect_the_others() -> None:
    tracing = TraceOptions(every=1, trace=Path("unused.jsonl"))
    options = DenoiseOptions("dip", Overrides(iterations=2, tile=64), tracing)
    samples = [
        Sample({"id": name, "path": name}, pixels=np.full((side, side, 3), 90, np.uint8))
        for name, side in (("a.png", 48), ("large.png", 80), ("b.png", 48))
    ]
    done = list(options.load()(samples))
    assert [sample.failed for sample in done] == [False, True, False]
    assert "add --tile 0" in done[1].record["error"]["message"]
    assert [sample.record["denoise"]["stop"]["iterations"] for sample in (done[0], done[2])] == [2, 2]


def test_images_of_several_sizes_are_denoised_in_order() -> None:
    samples = [
        Sample({"id": f"{side}", "path": "-"}, pixels=np.full((side, side, 3), side, np.uint8)) for side in (40, 40, 64)
    ]
    done = list(DenoiseOptions().load()(samples))
    assert [sample.id for sample in done] == ["40", "40", "64"]
    for sample, side in zip(done, (40, 40, 64), strict=True):
        assert sample.pixels is not None
        assert sample.pixels.shape == (side, side, 3)
        assert abs(float(sample.pixels.mean()) - side) < 3
        assert (sample.record["denoise"]["method"], sample.record["denoise"]["passes"]) == ("fast", 1)


def test_the_denoiser_does_not_repeat_the_noise_of_the_attack() -> None:
    """Additive Gaussian noise drawn from the seed that dp-attack uses for the same id."""
    attacked = Sample({"id": "a.png@agn", "path": "-"})
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(attacked.seed(0)))
    seen: list[torch.Tensor] = []
    processor = DenoiseOptions("denoiser").load()
    processor.purifier.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))  # type: ignore[attr-defined]
    list(processor([replace(attacked, pixels=np.full((64, 64, 3), 128, np.uint8))]))
    assert len(seen) == 1
    for noisy in seen:
        added = noisy.flatten() - 128 / 255
        assert abs(torch.corrcoef(torch.stack([added, noise.flatten()]))[0, 1]) < 0.05
