"""Stopping criteria: where each stops, on known errors and outputs."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch

from dptools.errors import UsageError
from dptools.purifiers.dip import DIPDefend, HeldOut, LossThreshold, Plateau, Step, StoppingCriterion, Variance
from dptools.purifiers.dip.stopping_literature import _worst_patch
from dptools.purifiers.dip.stopping_names import CRITERIA, parse_criterion


def steps(error: Callable[[int], float], output: Callable[[int], float] = lambda _: 0.0) -> Iterator[Step]:
    """Yield steps with a constant residual of this error and a constant output."""
    for iteration in range(1, 5001):
        image = torch.full((1, 3, 8, 8), output(iteration))
        residual = torch.full((1, 3, 8, 8), math.sqrt(error(iteration)))
        yield Step(iteration, image, image, residual, loss=0.0, error=error(iteration), held_out=None)


def run(criterion: StoppingCriterion, shown: Iterator[Step]) -> tuple[int, int, str]:
    """Return the step kept, the step stopped at, and the reason."""
    decide, kept = criterion.start(), 0
    for step in shown:
        decision = decide(step)
        kept = step.iteration if decision.keep else kept
        if decision.stop:
            return kept, step.iteration, decision.stop
    raise AssertionError("it never stopped")


def test_loss_threshold_stops_at_the_first_error_below_it() -> None:
    assert run(LossThreshold(0.01), steps(lambda n: 1 / n)) == (100, 100, "error of 0.01 reached")


def test_plateau_stops_where_the_error_no_longer_falls() -> None:
    kept, stopped, why = run(Plateau(), steps(lambda n: max(0.001, math.exp(-n / 40))))
    assert kept == stopped
    assert 276 < stopped <= 276 + 100  # exp(-276 / 40) is 0.001
    assert why == "error on a plateau"


def test_variance_keeps_the_step_where_the_outputs_change_least() -> None:
    def output(n: int) -> float:  # it moves, rests around 400, and moves again
        return 0.5 + (n - 400) ** 3 / 4e8

    kept, stopped, why = run(Variance(patience=200), steps(lambda _: 0.1, output))
    assert 400 < kept < 450
    assert stopped == kept + 200
    assert why == "variance past its minimum"


def test_variance_ignores_an_early_minimum() -> None:
    kept, _, _ = run(Variance(patience=50), steps(lambda _: 0.1, lambda n: 0.0 if n < 60 else n / 5000))
    assert kept > 100


def test_dipdefend_stops_when_the_worst_patch_no_longer_improves() -> None:
    kept, stopped, why = run(DIPDefend(), steps(lambda n: 0.1 * math.exp(-n / 100) + 0.001))
    assert 500 < kept < 1200  # whatever the curve, the smoothing turns some 1.2 / 0.002 = 605 steps on
    assert stopped == kept + 100
    assert why == "PSNR of the worst patch past its maximum"


def test_dipdefend_measures_the_worst_patch() -> None:
    residual = torch.zeros(1, 3, 40, 64)
    residual[..., 35:, 40:] = 0.1
    assert _worst_patch(residual, 32) == pytest.approx(-10 * math.log10(0.01 * 5 * 24 / (8 * 32)))


@pytest.mark.parametrize("text", ["loss:0", "loss:2", "loss:x", "loss:nan", "loss"])
def test_impossible_thresholds_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="loss:T"):
        parse_criterion(text)


def test_every_criterion_prints_its_name() -> None:
    for form in CRITERIA:
        text = form.replace(":N", ":7").replace(":T", ":0.012345678")
        assert str(parse_criterion(text)) == text


@pytest.mark.parametrize("text", ["fixed", "fixed:0", "fixed:-1", "fixed:x", "held-out:3", "oracles", "", "fixed:1e3"])
def test_unknown_criteria_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="stopping criterion"):
        parse_criterion(text)


def validated(held_out: list[float], error: float = 0.01) -> Iterator[Step]:
    """Yield steps with these errors over held-out pixels."""
    nothing = torch.zeros(1)
    for iteration, value in enumerate(held_out, start=1):
        yield Step(iteration, nothing, nothing, nothing, loss=0.0, error=error, held_out=value)


def test_held_out_stops_after_its_minimum_and_keeps_it() -> None:
    decide = HeldOut(patience=3).start()
    decisions = [decide(step) for step in validated([5, 4, 3, 4, 3.5, 3.2, 9])]
    assert [decision.keep for decision in decisions[:6]] == [True, True, True, False, False, False]
    assert [decision.stop for decision in decisions[:6]] == [None] * 5 + ["held-out error past its minimum"]


def test_held_out_keeps_its_minimum_when_the_cap_comes_later() -> None:
    decide = HeldOut(cap=30).start()
    decisions = [decide(step) for step in [*validated([1.0, 2.0]), *validated([3.0], error=0.0001)]]
    assert [decision.keep for decision in decisions] == [True, False, False]
    assert decisions[-1].stop == "fidelity of 30 dB reached"


def test_held_out_stops_at_its_cap() -> None:
    decide = HeldOut(cap=30).start()
    (decision,) = [decide(step) for step in validated([1.0], error=0.00099)]
    assert decision.keep
    assert decision.stop == "fidelity of 30 dB reached"
