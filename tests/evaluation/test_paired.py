"""Comparison of two methods on the same images: published examples, and pairing by id."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import UsageError
from dptools.evaluation.paired import Comparison, PairedCounts, comparisons_as_json, holm, sign_flip_p


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
    records = [record("a", 1), record("b", 4), record("c", 9), record("d", 1, skipped={}), record("e", None)]
    comparison = Comparison.against(records)
    for first in (record("c", 2), record("a", 1), record("b", 1), record("d", 1), record("e", 1), record("f", 1)):
        comparison.add(first)
    assert comparison.pairs(1) == PairedCounts(both=1, first=1, second=0, neither=1)
    assert comparison.pairs(5) == PairedCounts(both=2, first=1, second=0, neither=0)
    assert comparison.unpaired == 3
    comparison.add(record("a", 1))  # its partner is paired already
    assert comparison.pairs(5).n == 3
    assert Comparison.against([record("a", 1), record("b", 1)]).unpaired == 2


def attacked(image: int, attack: str, rank: int) -> dict[str, Any]:
    return record(f"i{image}@{attack}", rank, attack={"name": attack})


def compared(results: list[tuple[int, int, int]], attacks: int) -> PairedCounts:
    """Return the counts of images with several attacks each: image, first rank, second rank."""
    names = [f"a{number}" for number in range(attacks)]
    comparison = Comparison.against(attacked(image, name, second) for image, _, second in results for name in names)
    for image, first, _ in results:
        for name in names:
            comparison.add(attacked(image, name, first))
    return comparison.pairs(1)


def test_eight_attacks_with_the_same_result_on_each_image_tell_no_more_than_one() -> None:
    results = [(image, 1 if image < 14 else 9, 1 if image >= 9 else 9) for image in range(20)]
    once, often = compared(results, 1), compared(results, 8)
    assert (once.n, often.n) == (20, 160)
    assert often.difference == pytest.approx(once.difference)
    assert often.interval == pytest.approx(once.interval)
    assert often.p == pytest.approx(once.p)


def test_the_test_of_no_difference_is_right_if_images_occur_several_times() -> None:
    """If both methods are equally good, p is at most 0.05 in 5 % of samples, and the interval holds 0 in 95 %."""
    random = np.random.default_rng(0)
    significant, covered = 0, 0
    for _ in range(400):
        preference = random.beta(0.3, 0.3, size=12)  # each image prefers one of the methods, whatever the attack
        images = [(int(first), 8) for first in 2 * random.binomial(8, preference) - 8]
        first = sum((difference + 8) // 2 for difference, _ in images)
        pairs = PairedCounts(0, first, 96 - first, 0, images)
        significant += pairs.p <= 0.05
        low, high = pairs.interval
        covered += low <= 0 <= high
    assert significant <= 30  # 20 expected at most, 29 with a probability of 2 %
    assert covered >= 370


@given(st.lists(st.integers(-1, 1), min_size=1, max_size=60))
def test_the_sign_flip_test_is_mcnemars_if_each_image_occurs_once(differences: list[int]) -> None:
    first, second = differences.count(1), differences.count(-1)
    assert sign_flip_p(differences) == pytest.approx(PairedCounts(0, first, second, differences.count(0)).p)


def test_skipped_records_are_not_paired() -> None:
    skipped = {"id": "a", "attack": {"clean_label": 4}, "classify": {"label_rank": 1}}
    assert Comparison.against([skipped]).unmatched == {"a": (None, None)}


def test_a_repeated_id_cannot_be_paired() -> None:
    with pytest.raises(UsageError, match="the id a occurs twice"):
        Comparison.against([record("a", 1), record("a", 2)])


def test_a_comparison_without_pairs_has_counts_only() -> None:
    (comparison,) = comparisons_as_json([Comparison({})])
    assert comparison["top1"] == {"n": 0, "both": 0, "first": 0, "second": 0, "neither": 0}


def test_both_sides_are_named_by_their_methods_and_p_values_are_adjusted_for_their_number() -> None:
    def jpeg(name: str, rank: int) -> dict[str, Any]:
        return record(name, rank, denoise={"method": "jpeg:50"})

    names = [f"i{number}" for number in range(10)]
    others = [Comparison.against(jpeg(name, rank) for name in names) for rank in (9, 1)]
    for comparison in others:
        for name in names:
            comparison.add(record(name, 1, denoise={"method": "denoiser"}))
    worse, equal = comparisons_as_json(others)
    assert (worse["first"], worse["second"]) == ("denoiser", "jpeg:50")
    assert worse["top1"]["p"] == pytest.approx(2 / 2**10)
    assert worse["top1"]["p_holm"] == pytest.approx(4 / 2**10)
    assert equal["top1"]["p_holm"] == 1


def test_a_file_without_pairs_is_no_test_that_p_values_are_adjusted_for() -> None:
    names = [f"i{number}" for number in range(10)]
    tested, untested = Comparison(dict.fromkeys(names, (False, False))), Comparison({"x": (True, True)})
    for name in names:
        tested.add(record(name, 1))
    first, second = comparisons_as_json([untested, tested])
    assert second["top1"]["p_holm"] == second["top1"]["p"] == pytest.approx(2 / 2**10)
    assert "p_holm" not in first["top1"]


def test_holms_adjustment_agrees_with_a_worked_example() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
