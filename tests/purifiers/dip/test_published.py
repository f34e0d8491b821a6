"""Stop rules of other papers: where each stops, on errors and outputs that are known."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch

from dptools.errors import UsageError
from dptools.purifiers.dip.published import DIPDefend, LossThreshold, Plateau, Variance
from dptools.purifiers.dip.reconstruction import Step
from dptools.purifiers.dip.rules import RULES, parse_rule
from dptools.purifiers.dip.stopping import StoppingCriterion


def steps(error: Callable[[int], float], output: Callable[[int], float] = lambda _: 0.0) -> Iterator[Step]:
    """Steps whose residual is as large as the error everywhere, and whose output is a constant image."""
    for iteration in range(1, 5001):
        image = torch.full((1, 3, 8, 8), output(iteration))
        residual = torch.full((1, 3, 8, 8), math.sqrt(error(iteration)))
        yield Step(iteration, image, image, residual, loss=0.0, error=error(iteration), held_out=None)


def run(rule: StoppingCriterion, shown: Iterator[Step]) -> tuple[int, int, str]:
    """The step kept, the step stopped at, and why."""
    watch, kept = rule.start(), 0
    for step in shown:
        verdict = watch(step)
        kept = step.iteration if verdict.keep else kept
        if verdict.stop:
            return kept, step.iteration, verdict.stop
    raise AssertionError("it never stopped")


def test_a_threshold_stops_at_the_first_error_below_it() -> None:
    assert run(LossThreshold(0.01), steps(lambda n: 1 / n)) == (100, 100, "error of 0.01 reached")


def test_a_plateau_is_where_the_error_falls_no_more() -> None:
    kept, stopped, why = run(Plateau(), steps(lambda n: max(0.001, math.exp(-n / 40))))
    assert kept == stopped
    assert 276 < stopped <= 276 + 100  # exp(-276 / 40) is 0.001
    assert why == "error on a plateau"


def test_the_variance_is_smallest_where_the_outputs_rest() -> None:
    def output(n: int) -> float:  # it moves, rests around 400, and moves again
        return 0.5 + (n - 400) ** 3 / 4e8

    kept, stopped, why = run(Variance(patience=200), steps(lambda _: 0.1, output))
    assert 400 < kept < 450
    assert stopped == kept + 200
    assert why == "variance past its minimum"


def test_an_early_dip_of_the_variance_does_not_count() -> None:
    kept, _, _ = run(Variance(patience=50), steps(lambda _: 0.1, lambda n: 0.0 if n < 60 else n / 5000))
    assert kept > 100


def test_the_worst_patch_stops_rising() -> None:
    kept, stopped, why = run(DIPDefend(), steps(lambda n: 0.1 * math.exp(-n / 100) + 0.001))
    assert 500 < kept < 1200  # whatever the curve, the smoothing turns some 1.2 / 0.002 = 605 steps on
    assert stopped == kept + 100
    assert why == "PSNR of the worst patch past its maximum"


def test_the_worst_patch_is_the_one_that_counts() -> None:
    from dptools.purifiers.dip.published import _worst_patch

    residual = torch.zeros(1, 3, 40, 64)
    residual[..., 35:, 40:] = 0.1
    assert _worst_patch(residual, 32) == pytest.approx(-10 * math.log10(0.01 * 5 * 24 / (8 * 32)))


@pytest.mark.parametrize("text", ["loss:0", "loss:2", "loss:x", "loss:nan", "loss"])
def test_thresholds_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="loss:T"):
        parse_rule(text)


def test_every_rule_says_what_it_is_called() -> None:
    for form in RULES:
        text = form.replace(":N", ":7").replace(":T", ":0.01")
        assert str(parse_rule(text)) == text
