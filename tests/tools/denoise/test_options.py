"""The options of dp-denoise and what they make of a preset."""

from pathlib import Path

import numpy as np
import pytest

from dptools.pipe.sample import Sample
from dptools.purifiers.dip.published import LossThreshold, Oracle, Variance
from dptools.purifiers.dip.stopping import Fixed, HeldOut
from dptools.tools.denoise.options import DenoiseOptions, Overrides
from dptools.tools.denoise.tracing import TraceOptions


@pytest.mark.parametrize(
    ("preset", "options", "rule", "iterations"),
    [
        ("cold", {}, HeldOut(), 350),
        ("cold", {"iterations": 50}, HeldOut(), 50),
        ("cold", {"stop": "fixed:500"}, Fixed(500), 500),
        ("cold", {"stop": "fixed:500", "iterations": 90}, Fixed(500), 90),
        ("paper", {}, Fixed(1750), 1750),
        ("cold", {"stop": "variance"}, Variance(), 3000),
        ("cold", {"stop": "loss:0.001", "iterations": 500}, LossThreshold(0.001), 500),
        ("cold", {"stop": "oracle"}, Oracle(), 3000),
        ("paper", {"iterations": 3000}, Fixed(3000), 3000),
        ("paper", {"stop": "held-out"}, HeldOut(), 3000),
    ],
)
def test_iterations_are_the_most_and_all_of_a_fixed_rule(
    preset: str, options: dict[str, str], rule: Fixed | HeldOut, iterations: int
) -> None:
    settings = Overrides(**options).settings(preset)  # type: ignore[arg-type]
    assert (settings.rule, settings.iterations) == (rule, iterations)


def test_options_replace_what_the_preset_says() -> None:
    settings = Overrides(average=0.9, precision="bf16").settings("paper")
    assert (settings.average, settings.precision, settings.network) == (0.9, "bf16", "paper")


def test_one_image_that_cannot_be_restored_costs_no_other() -> None:
    """In one batch, and none of the others is done twice."""
    stage = DenoiseOptions("cold", Overrides(iterations=2, tile=64), TraceOptions(every=1, trace=Path("unused.jsonl")))
    samples = [
        Sample({"id": name, "path": name}, pixels=np.full((side, side, 3), 90, np.uint8))
        for name, side in (("a.png", 48), ("large.png", 80), ("b.png", 48))
    ]
    done = list(stage.load()(samples))
    assert [sample.failed for sample in done] == [False, True, False]
    assert "give --tile 0" in done[1].record["error"]["message"]
    assert [sample.record["denoise"]["stop"]["iterations"] for sample in (done[0], done[2])] == [2, 2]
