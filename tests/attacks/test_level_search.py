"""The search gives the result of a linear search with far fewer evaluations."""

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.attacks.level_search import smallest_success


class Curve:
    """Margins by level, with counts of evaluated levels and of calls."""

    def __init__(self, margins: Sequence[float]) -> None:
        self.values, self.evaluations, self.calls = margins, 0, 0

    def __call__(self, levels: Sequence[int]) -> list[float]:
        self.evaluations, self.calls = self.evaluations + len(levels), self.calls + 1
        return [self.values[level - 1] for level in levels]

    def linear(self) -> int | None:
        return next((level for level, margin in enumerate(self.values, 1) if margin > 0), None)


@given(
    start=st.floats(-20, -0.01),
    slopes=st.lists(st.floats(0, 0.5), min_size=1, max_size=400),
    width=st.integers(1, 16),
)
def test_rising_margins_give_the_result_of_a_linear_search(start: float, slopes: list[float], width: int) -> None:
    curve = Curve(list(accumulate(slopes, initial=start)))
    assert smallest_success(curve, len(curve.values), width) == curve.linear()


def test_an_earlier_separate_success_is_found() -> None:
    curve = Curve([-abs(level - 300) / 40 + 0.3 if level < 500 else level - 700 for level in range(1, 1001)])
    assert curve.linear() == 289
    assert smallest_success(curve, 1000) == 289


@pytest.mark.parametrize("width", [1, 16])
def test_the_search_needs_a_tenth_of_the_evaluations_of_a_linear_search(width: int) -> None:
    curve = Curve([(level - 413.5) / 50 for level in range(1, 1001)])
    assert smallest_success(curve, 1000, width) == 414
    assert curve.evaluations <= 41 * max(1, width / 4)
    assert curve.calls <= (41 if width == 1 else 5)


@pytest.mark.parametrize("max_level", [0, 1, 2, 3, 255])
def test_without_success_the_result_is_none(max_level: int) -> None:
    assert smallest_success(Curve([-1.0] * max_level), max_level) is None


def test_the_first_level_can_succeed() -> None:
    curve = Curve([0.5] * 255)
    assert smallest_success(curve, 255) == 1
    assert curve.evaluations == 1
