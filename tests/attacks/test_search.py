"""The search ends where a linear search ends, with far fewer questions."""

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.attacks.search import weakest


class Curve:
    """Margins by level, and how often they were asked for."""

    def __init__(self, margins: Sequence[float]) -> None:
        self.values, self.asked, self.rounds = margins, 0, 0

    def __call__(self, levels: Sequence[int]) -> list[float]:
        self.asked, self.rounds = self.asked + len(levels), self.rounds + 1
        return [self.values[level - 1] for level in levels]

    def linear(self) -> int | None:
        return next((level for level, margin in enumerate(self.values, 1) if margin > 0), None)


@given(
    start=st.floats(-20, -0.01),
    slopes=st.lists(st.floats(0, 0.5), min_size=1, max_size=400),
    width=st.integers(1, 16),
)
def test_a_rising_margin_gives_the_linear_answer(start: float, slopes: list[float], width: int) -> None:
    curve = Curve(list(accumulate(slopes, initial=start)))
    assert weakest(curve, len(curve.values), width) == curve.linear()


def test_a_bump_before_the_main_success_is_found() -> None:
    curve = Curve([-abs(level - 300) / 40 + 0.3 if level < 500 else level - 700 for level in range(1, 1001)])
    assert curve.linear() == 289
    assert weakest(curve, 1000) == 289


@pytest.mark.parametrize("width", [1, 16])
def test_it_asks_a_tenth_of_what_a_linear_search_does(width: int) -> None:
    curve = Curve([(level - 413.5) / 50 for level in range(1, 1001)])
    assert weakest(curve, 1000, width) == 414
    assert curve.asked <= 41 * max(1, width / 4)
    assert curve.rounds <= (41 if width == 1 else 5)


@pytest.mark.parametrize("most", [0, 1, 2, 3, 255])
def test_no_success_is_none(most: int) -> None:
    assert weakest(Curve([-1.0] * most), most) is None


def test_the_first_level_may_be_enough() -> None:
    curve = Curve([0.5] * 255)
    assert weakest(curve, 255) == 1
    assert curve.asked == 1
