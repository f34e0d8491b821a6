"""The options of dp-denoise and what they make of a preset."""

import pytest

from dptools.prior.published import LossThreshold, Oracle, Variance
from dptools.prior.stopping import Fixed, HeldOut
from dptools.stages.denoise import Changes


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
    settings = Changes(**options).settings(preset)  # type: ignore[arg-type]
    assert (settings.rule, settings.iterations) == (rule, iterations)


def test_options_replace_what_the_preset_says() -> None:
    settings = Changes(average=0.9, precision="bf16").settings("paper")
    assert (settings.average, settings.precision, settings.network) == (0.9, "bf16", "paper")
