"""Comparison of two methods on the same images: published examples, and pairing by id."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import UsageError
from dptools.evaluation.paired import Comparison, PairedCounts, ranks_by_id


@pytest.mark.parametrize(
    ("pairs", "difference", "low", "high", "p"),
    [
        # Airway hyper-responsiveness before and after transplantation (Bentur et al. 2009), as worked out by Fagerland,
        # Lydersen and Laake 2014 (BMC Medical Research Methodology 14): Newcombe's interval, exact McNemar test.
        (PairedCounts(1, 1, 7, 12), -0.286, -0.507, -0.026, 0.0703),
        # Altman, Machin, Bryant and Gardner, "Statistics with confidence", 2000, table 6.2.
        (PairedCounts(14, 5, 0, 22), 0.122, 0.011, 0.226, 0.0625),
    ],
)
def test_estimates_agree_with_published_examples(
    pairs: PairedCounts, difference: float, low: float, high: float, p: float
) -> None:
    assert pairs.difference == pytest.approx(difference, abs=5e-4)
    assert pairs.interval == pytest.approx((low, high), abs=5e-4)
    assert pairs.p == pytest.approx(p, abs=5e-5)


COUNTS = st.integers(0, 50)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_swapping_the_methods_changes_only_the_sign(both: int, first: int, second: int, neither: int) -> None:
    if not both + first + second + neither:
        return
    pairs, swapped = PairedCounts(both, first, second, neither), PairedCounts(both, second, first, neither)
    low, high = pairs.interval
    assert -1 <= low <= pairs.difference <= high <= 1
    assert swapped.interval == pytest.approx((-high, -low), abs=1e-9)
    assert 0 <= pairs.p <= 1
    assert swapped.p == pytest.approx(pairs.p)


def record(name: str, rank: int | None, **more: Any) -> dict[str, Any]:
    return {"id": name, "classify": {"label_rank": rank}, **more}


def test_records_are_paired_by_id() -> None:
    others = ranks_by_id(
        [record("a", 1), record("b", 4), record("c", 9), record("d", 1, skipped={}), record("e", None)]
    )
    comparison = Comparison(others)
    for first in (record("c", 2), record("a", 1), record("b", 1), record("d", 1), record("e", 1), record("f", 1)):
        comparison.add(first)
    assert comparison.pairs(1) == PairedCounts(both=1, first=1, second=0, neither=1)
    assert comparison.pairs(5) == PairedCounts(both=2, first=1, second=0, neither=0)
    assert comparison.unpaired == 3
    comparison.add(record("a", 1))  # its partner is paired already
    assert comparison.pairs(5).n == 3
    assert Comparison(ranks_by_id([record("a", 1), record("b", 1)])).unpaired == 2


def test_skipped_records_are_not_paired() -> None:
    skipped = {"id": "a", "attack": {"clean_label": 4}, "classify": {"label_rank": 1}}
    assert ranks_by_id([skipped]) == {"a": None}


def test_a_repeated_id_cannot_be_paired() -> None:
    with pytest.raises(UsageError, match="the id a occurs twice"):
        ranks_by_id([record("a", 1), record("a", 2)])


def test_a_comparison_without_pairs_has_counts_only() -> None:
    comparison = Comparison({}).as_json()
    assert comparison["top1"] == {"n": 0, "both": 0, "first": 0, "second": 0, "neither": 0}
