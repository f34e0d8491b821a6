"""The options of dp-denoise and what they make of a preset."""

import pytest

from dptools.prior.published import LossThreshold, Variance
from dptools.prior.stopping import Fixed, HeldOut
from dptools.stages.denoise import Denoise


@pytest.mark.parametrize(
    ("options", "rule", "iterations"),
    [
        ({}, HeldOut(), 350),
        ({"iterations": 50}, HeldOut(), 50),
        ({"stop": "fixed:500"}, Fixed(500), 500),
        ({"stop": "fixed:500", "iterations": 90}, Fixed(500), 90),
        ({"preset": "paper"}, Fixed(1750), 1750),
        ({"stop": "variance"}, Variance(), 3000),
        ({"stop": "loss:0.001", "iterations": 500}, LossThreshold(0.001), 500),
        ({"preset": "paper", "iterations": 3000}, Fixed(3000), 3000),
        ({"preset": "paper", "stop": "held-out"}, HeldOut(), 3000),
    ],
)
def test_iterations_are_the_most_and_all_of_a_fixed_rule(
    options: dict[str, str], rule: Fixed | HeldOut, iterations: int
) -> None:
    settings = Denoise(**options).settings()  # type: ignore[arg-type]
    assert (settings.rule, settings.iterations) == (rule, iterations)


def test_options_replace_what_the_preset_says() -> None:
    settings = Denoise("paper", average=0.9, precision="bf16").settings()
    assert (settings.average, settings.precision, settings.network) == (0.9, "bf16", "paper")
