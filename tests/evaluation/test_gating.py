"""ROC and AUC against their definitions; what a gate brings, of hand-made records."""

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.evaluation.gating import Gating
from dptools.evaluation.keys import method
from dptools.evaluation.separation import area, curve
from dptools.evaluation.table import gate_rows, suspicion_rows

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_the_right_order(negative: list[float], positive: list[float]) -> None:
    pairs = [(high > low) + (high == low) / 2 for low in negative for high in positive]
    found = area(Counter(negative), Counter(positive))
    assert found is not None
    assert found.value == pytest.approx(sum(pairs) / len(pairs))
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(SCORES, SCORES)
def test_the_curve_rises_to_one_and_has_that_area_below_it(negative: list[float], positive: list[float]) -> None:
    points = curve(Counter(negative), Counter(positive))
    assert (points[0], points[-1]) == ((0, 0), (1, 1))
    below = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in itertools.pairwise(points))
    found = area(Counter(negative), Counter(positive))
    assert found is not None
    assert below == pytest.approx(found.value)
    assert all(x0 <= x1 and y0 <= y1 for (x0, y0), (x1, y1) in itertools.pairwise(points))


def test_the_interval_is_delongs() -> None:
    """Worked out by hand: placements 1, 1, 2/3 of the positive and 1, 1, 2/3 of the negative samples."""
    found = area(Counter([0.1, 0.2, 0.6]), Counter([0.9, 0.8, 0.5]))
    assert found is not None
    variance = ((1 / 9) ** 2 * 2 + (2 / 9) ** 2) / 2
    assert found.value == pytest.approx(8 / 9)
    assert found.low == pytest.approx(8 / 9 - 1.959964 * (2 * variance / 3) ** 0.5)
    assert found.high == 1


def test_without_clean_or_attacked_images_there_is_no_area() -> None:
    assert area(Counter(), Counter([1.0])) is None
    assert area(Counter([1.0]), Counter()) is None


def record(suspicion: float, before: int, after: int, attack: str | None = None, **more: Any) -> dict[str, Any]:
    look = {"tool": "dp-classify", "params": {"suspect": {}}, "seconds": 0.1}
    stages = [look, {"tool": "dp-denoise", "seconds": 2.0}, {"tool": "dp-classify", "params": {}, "seconds": 7}]
    attacked = {"attack": {"name": attack, "success": True}} if attack else {}
    facts = {"suspicion": suspicion, "suspect": {"label_rank": before}, "classify": {"label_rank": after}}
    return {"id": "a", **attacked, **facts, "denoise": {"method": "dip"}, "stages": stages, **more}


def test_records_restored_without_a_gate_tell_of_one() -> None:
    gating = Gating()
    for each in (
        record(0.1, 1, 9),  # clean, would pass: restoration would have spoilt it
        record(0.96, 1, 1),  # a false alarm
        record(0.99, 2, 1, "gs"),
        record(0.5, 2, 1, "gs"),  # missed
        {**record(0.5, 2, 1, "gs"), "attack": {"name": "gs", "success": False}},
        {**record(0.5, 2, 1), "error": {"stage": "", "type": "", "message": ""}},
        {"id": "b", "classify": {"label_rank": 1}},
    ):
        gating.add(each)
    nothing, suspects, everything = (gating.as_json()["restored"][key] for key in ("nothing", "suspects", "everything"))
    right = [[each[kind]["top1"]["k"] for kind in ("clean", "attacked")] for each in (nothing, suspects, everything)]
    assert right == [[2, 0], [2, 1], [1, 2]]
    assert [each["clean"]["restored"]["k"] for each in (nothing, suspects, everything)] == [0, 1, 2]
    assert (everything["clean"]["seconds"], suspects["clean"]["seconds"]) == (2.0, pytest.approx((0.1 + 2.1) / 2))
    assert suspicion_rows(gating)[1:] == [["clean", "2", "-", "50 [9-91]"], ["gs", "2", "75.0 [6-100]", "50 [9-91]"]]
    assert [row[:2] for row in gate_rows(gating)[1:]] == [
        [policy, kind] for policy in ("nothing", "suspects", "everything") for kind in ("clean", "attacked")
    ]


@pytest.mark.parametrize("seconds", [1e308, 10**308, 4e9])
def test_seconds_that_are_a_mistake_are_not_known(seconds: float) -> None:
    gating, stage = Gating(), {"tool": "dp-denoise", "seconds": seconds}
    gating.add(record(0.1, 1, 1, stages=[stage]))
    gating.add(record(0.2, 1, 1, stages=[stage]))
    assert gating.as_json()["restored"]["everything"]["clean"]["seconds"] is None
    assert [row[-1] for row in gate_rows(gating)[1:]] == ["-", "-", "-"]


def test_records_that_passed_a_gate_tell_of_that_gate_only() -> None:
    gate = {"threshold": 0.3, "method": "default fixed:8"}
    gating = Gating()
    gating.add(record(0.1, 1, 1, denoise={"method": "none", "gate": {**gate, "suspect": False}}))
    gating.add(record(0.4, 2, 1, "gs", denoise={"method": "dip", "gate": {**gate, "suspect": True}}))
    restored = gating.as_json()["restored"]
    assert restored["everything"]["attacked"]["top1"]["n"] == 0
    assert restored["suspects"]["attacked"]["restored"]["k"] == 1
    assert restored["suspects"]["clean"]["restored"]["k"] == 0
    assert {method(record(0, 1, 1, denoise={"method": "none", "gate": {**gate, "suspect": False}}))} == {
        "default fixed:8 if suspect"
    }


def test_the_threshold_can_be_another() -> None:
    gating = Gating(0.05)
    gating.add(record(0.1, 1, 1))
    assert gating.flagged("clean").k == 1
