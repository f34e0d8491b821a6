"""ROC curves against their definitions, and the evaluation of a gate on hand-made records."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from dptools.evaluation.gating import GateEvaluation
from dptools.evaluation.image_counts import ImageCounts
from dptools.evaluation.intervals import wilson
from dptools.evaluation.keys import method, uses_true_label
from dptools.evaluation.roc import auc, roc_curve
from dptools.evaluation.summary import Summary
from dptools.evaluation.table import gate_rows, suspicion_rows

NUMBERS = itertools.count()


def images(scores: list[float], prefix: str = "", each: int = 1) -> ImageCounts[float]:
    """Return the scores of images, ``each`` of them for one image."""
    counts: ImageCounts[float] = ImageCounts()
    for number, score in enumerate(scores):
        counts.find(f"{prefix}{number // each}")[score] += 1
    return counts


SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_auc_is_the_share_of_pairs_in_the_right_order(negative: list[float], positive: list[float]) -> None:
    pairs = [(high > low) + (high == low) / 2 for low in negative for high in positive]
    area = auc(images(negative, "n"), images(positive, "p"))
    assert area is not None
    assert area.value == pytest.approx(sum(pairs) / len(pairs))
    assert 0 <= area.low <= area.value <= area.high <= 1


@given(SCORES, SCORES)
def test_the_curve_rises_from_0_to_1_and_encloses_the_auc(negative: list[float], positive: list[float]) -> None:
    points = roc_curve(Counter(negative), Counter(positive))
    assert (points[0], points[-1]) == ((0, 0), (1, 1))
    below = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in itertools.pairwise(points))
    area = auc(images(negative, "n"), images(positive, "p"))
    assert area is not None
    assert below == pytest.approx(area.value)
    assert all(x0 <= x1 and y0 <= y1 for (x0, y0), (x1, y1) in itertools.pairwise(points))


def test_the_interval_is_that_of_delong() -> None:
    """Computed by hand: placements 1, 1, 2/3 of the positive and 1, 1, 2/3 of the negative samples."""
    area = auc(images([0.1, 0.2, 0.6], "n"), images([0.9, 0.8, 0.5], "p"))
    assert area is not None
    variance = ((1 / 9) ** 2 * 2 + (2 / 9) ** 2) / 2
    assert area.value == pytest.approx(8 / 9)
    assert area.low == pytest.approx(8 / 9 - 1.959964 * (2 * variance / 3) ** 0.5)
    assert area.high == 1


@pytest.mark.parametrize(
    ("negative", "positive", "expected"),
    [
        ([0.1, 0.2, 0.3], [0.8, 0.9], (2, 2)),  # no overlap: DeLong's variance is 0
        ([0.5] * 4, [0.5] * 4, (2, 4)),
        ([0.1, 0.2, 0.3, 0.4], [0.25], (0.5, 1)),  # one sample has no variance
    ],
)
def test_an_area_of_few_or_separate_samples_is_not_certain(
    negative: list[float], positive: list[float], expected: tuple[float, int]
) -> None:
    area = auc(images(negative, "n"), images(positive, "p"))
    assert area is not None
    assert (area.low, area.high) == pytest.approx(wilson(*expected))


def test_samples_with_the_same_score_on_each_image_tell_no_more_than_one() -> None:
    negative, positive = [0.1, 0.2, 0.6, 0.3], [0.9, 0.8, 0.5, 0.25]
    once = auc(images(negative, "n"), images(positive, "p"))
    often = auc(images(negative, "n"), images([score for score in positive for _ in range(8)], "p", each=8))
    assert once is not None
    assert often is not None
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))


def test_the_interval_of_several_attacks_on_the_same_images_covers_the_true_area() -> None:
    """Images differ, and both the clean image and its eight attacked versions share the difference."""
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        image = random.normal(0, 1, 40)
        clean = list(image + random.normal(0, 1, 40))
        attacked = list((image[:, None] + random.normal(1, 1, (40, 8))).ravel())
        area = auc(images(clean), images(attacked, each=8))
        assert area is not None
        covered += area.low <= norm.cdf(0.5) <= area.high  # the difference of two scores has a variance of 4
    assert 270 <= covered <= 297


def test_auc_needs_clean_and_attacked_images() -> None:
    assert auc(images([]), images([1.0])) is None
    assert auc(images([1.0]), images([])) is None


def record(suspicion: float, before: int, after: int, attack: str | None = None, **more: Any) -> dict[str, Any]:
    detection = {"tool": "dp-classify", "params": {"suspect": {}}, "seconds": 0.1}
    stages = [detection, {"tool": "dp-denoise", "seconds": 2.0}, {"tool": "dp-classify", "params": {}, "seconds": 7}]
    attacked = {"attack": {"name": attack, "success": True}} if attack else {}
    results = {"suspicion": suspicion, "suspect": {"label_rank": before}, "classify": {"label_rank": after}}
    return {
        "id": f"image{next(NUMBERS)}",
        **attacked,
        **results,
        "denoise": {"method": "denoiser"},
        "stages": stages,
        **more,
    }


def test_records_purified_without_a_gate_give_all_policies() -> None:
    gate = GateEvaluation()
    for example in (
        record(0.1, 1, 9),  # clean and not suspicious: wrong after purification
        record(0.96, 1, 1),  # a false positive
        record(0.99, 2, 1, "gs"),
        record(0.5, 2, 1, "gs"),  # a false negative
        {**record(0.5, 2, 1, "gs"), "attack": {"name": "gs", "success": False}},
        {**record(0.5, 2, 1), "error": {"stage": "", "type": "", "message": ""}},
        {"id": "b", "classify": {"label_rank": 1}},
    ):
        gate.add(example)
    nothing, suspects, everything = (gate.as_json()["restored"][key] for key in ("nothing", "suspects", "everything"))
    correct = [
        [policy[kind]["top1"]["k"] for kind in ("clean", "attacked")] for policy in (nothing, suspects, everything)
    ]
    assert correct == [[2, 0], [2, 1], [1, 2]]
    assert [policy["clean"]["restored"]["k"] for policy in (nothing, suspects, everything)] == [0, 1, 2]
    assert (everything["clean"]["seconds"], suspects["clean"]["seconds"]) == (2.0, pytest.approx((0.1 + 2.1) / 2))
    assert suspicion_rows(gate)[1:] == [["clean", "2", "-", "50 [9-91]"], ["gs", "2", "75.0 [6-100]", "50 [9-91]"]]
    assert [row[:2] for row in gate_rows(gate)[1:]] == [
        [policy, kind] for policy in ("nothing", "suspects", "everything") for kind in ("clean", "attacked")
    ]


def test_several_attacks_on_an_image_tell_little_more_than_one() -> None:
    gate = GateEvaluation()
    for image, attack in itertools.product(range(10), ("gs", "cw", "pgd", "agn")):
        suspicion, rank = (0.99, 1) if image < 5 else (0.1, 9)
        gate.add(record(suspicion, 2, rank, attack, id=f"image{image}@{attack}"))
    rates = gate.suspect_rate("all"), gate.policy("everything", True).rate("top1")
    assert [(rate.k, rate.n) for rate in rates] == [(20, 40)] * 2
    assert [(rate.low, rate.high) for rate in rates] == [pytest.approx(wilson(5, 10))] * 2


@pytest.mark.parametrize("seconds", [1e308, 10**308, 4e9])
def test_implausible_seconds_are_ignored(seconds: float) -> None:
    gate, stage = GateEvaluation(), {"tool": "dp-denoise", "seconds": seconds}
    gate.add(record(0.1, 1, 1, stages=[stage]))
    gate.add(record(0.2, 1, 1, stages=[stage]))
    assert gate.as_json()["restored"]["everything"]["clean"]["seconds"] is None
    assert [row[-1] for row in gate_rows(gate)[1:]] == ["-", "-", "-"]


def test_records_that_passed_a_gate_give_no_result_for_everything() -> None:
    entry = {"threshold": 0.3, "method": "denoiser"}
    gate = GateEvaluation()
    gate.add(record(0.1, 1, 1, denoise={"method": "none", "gate": {**entry, "suspect": False}}))
    gate.add(record(0.4, 2, 1, "gs", denoise={"method": "denoiser", "gate": {**entry, "suspect": True}}))
    restored = gate.as_json()["restored"]
    assert restored["everything"]["attacked"]["top1"]["n"] == 0
    assert restored["suspects"]["attacked"]["restored"]["k"] == 1
    assert restored["suspects"]["clean"]["restored"]["k"] == 0
    assert {method(record(0, 1, 1, denoise={"method": "none", "gate": {**entry, "suspect": False}}))} == {
        "denoiser if suspect"
    }


def test_a_suspicion_of_the_purified_image_says_nothing_about_gates() -> None:
    """The rank of the label beside it is that after purification, too."""
    example = record(0.99, 2, 1, "gs")
    detection, purification, _ = example["stages"]
    gate = GateEvaluation()
    gate.add({**example, "stages": [purification, detection]})
    assert gate_rows(gate)[1:] == []
    assert [row[:2] for row in suspicion_rows(gate)[1:]] == [["gs", "1"]]
    gate.add({**example, "stages": [detection, purification, {"tool": "dp-classify", "params": {}}]})
    assert [row[2] for row in gate_rows(gate)[1:]] == ["0 [0-79]", "100 [21-100]", "100 [21-100]"]


def test_a_suspicion_just_below_the_threshold_is_below_it_everywhere() -> None:
    gate = GateEvaluation()
    gate.add(record(0.94996, 1, 1))
    assert (gate.suspect_rate("clean").k, gate.policy("suspects", False).restored.k) == (0, 0)


def test_several_methods_behind_a_gate_give_a_warning(sh: Run, tmp_path: Path) -> None:
    records = [record(0.99, 2, 1, "gs", denoise={"method": method}) for method in ("jpeg:50", "denoiser")]
    for each in records:
        each |= {"stages": [], "suspect": {"detector": "both", "label_rank": 2}, "classify": {"top": []}}
    file = tmp_path / "in.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    both = "suspicion and gating combine the records of jpeg:50, denoiser: evaluate one method at a time"
    assert both in sh(f"dp-eval --report r.html {file}").stderr
    assert "Several methods are combined: jpeg:50, denoiser." in (tmp_path / "r.html").read_text()
    file.write_text(f"{json.dumps(records[0])}\n" * 2)
    assert "combine" not in sh(f"dp-eval {file}").stderr


def test_the_threshold_can_be_changed() -> None:
    gate = GateEvaluation(0.05)
    gate.add(record(0.1, 1, 1))
    assert gate.suspect_rate("clean").k == 1


def test_a_method_that_uses_the_true_label_is_recognised_behind_a_gate_too() -> None:
    assert uses_true_label("dip oracle")
    assert uses_true_label("dip oracle if suspect")
    assert not uses_true_label("dip plateau if suspect")


def test_without_clean_images_there_is_no_column_of_areas() -> None:
    attacked = {"id": "a", "suspicion": 0.9, "attack": {"name": "gs", "success": True}}
    clean = {"id": "b", "suspicion": 0.1}
    without, both = (Summary() for _ in range(2))
    without.read([attacked])
    both.read([attacked, clean])
    assert suspicion_rows(without.gate) == [["suspicion", "n", "suspect at 0.95"], ["gs", "1", "0 [0-79]"]]
    assert suspicion_rows(both.gate)[0] == ["suspicion", "n", "AUC, %", "suspect at 0.95"]
