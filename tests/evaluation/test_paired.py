"""Two methods on the same images: published examples, and records that are paired by their ids."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import UsageError
from dptools.evaluation.paired import Comparison, Pairs, ranks


@pytest.mark.parametrize(
    ("pairs", "difference", "low", "high", "p"),
    [
        # Airway hyper-responsiveness before and after transplantation (Bentur et al. 2009), as worked out by Fagerland,
        # Lydersen and Laake 2014 (BMC Medical Research Methodology 14): Newcombe's interval, exact McNemar test.
        (Pairs(1, 1, 7, 12), -0.286, -0.507, -0.026, 0.0703),
        # Altman, Machin, Bryant and Gardner, "Statistics with confidence", 2000, table 6.2.
        (Pairs(14, 5, 0, 22), 0.122, 0.011, 0.226, 0.0625),
    ],
)
def test_differences_intervals_and_tests_are_the_published_ones(
    pairs: Pairs, difference: float, low: float, high: float, p: float
) -> None:
    assert pairs.difference == pytest.approx(difference, abs=5e-4)
    assert pairs.interval == pytest.approx((low, high), abs=5e-4)
    assert pairs.p == pytest.approx(p, abs=5e-5)


COUNTS = st.integers(0, 50)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_the_other_way_round_is_the_same_with_the_other_sign(both: int, first: int, second: int, neither: int) -> None:
    if not both + first + second + neither:
        return
    one, other = Pairs(both, first, second, neither), Pairs(both, second, first, neither)
    low, high = one.interval
    assert -1 <= low <= one.difference <= high <= 1
    assert other.interval == pytest.approx((-high, -low), abs=1e-9)
    assert 0 <= one.p <= 1
    assert other.p == pytest.approx(one.p)


def record(name: str, rank: int | None, **more: Any) -> dict[str, Any]:
    return {"id": name, "classify": {"label_rank": rank}, **more}


def test_records_are_paired_by_id() -> None:
    theirs = ranks([record("a", 1), record("b", 4), record("c", 9), record("d", 1, skipped={}), record("e", None)])
    comparison = Comparison(theirs)
    for mine in (record("c", 2), record("a", 1), record("b", 1), record("d", 1), record("e", 1), record("f", 1)):
        comparison.add(mine)
    assert comparison.pairs(1) == Pairs(both=1, first=1, second=0, neither=1)
    assert comparison.pairs(5) == Pairs(both=2, first=1, second=0, neither=0)
    assert comparison.unpaired == 3
    comparison.add(record("a", 1))  # its partner has one already
    assert comparison.pairs(5).n == 3
    assert Comparison(ranks([record("a", 1), record("b", 1)])).unpaired == 2


def test_what_stands_in_no_rate_stands_in_no_pair() -> None:
    skipped = {"id": "a", "attack": {"clean_label": 4}, "classify": {"label_rank": 1}}
    assert ranks([skipped]) == {"a": None}


def test_an_id_that_stands_twice_cannot_be_paired() -> None:
    with pytest.raises(UsageError, match="the id a stands twice"):
        ranks([record("a", 1), record("a", 2)])


def test_nothing_paired_is_no_error() -> None:
    found = Comparison({}).as_json()
    assert found["top1"] == {"n": 0, "both": 0, "first": 0, "second": 0, "neither": 0}
