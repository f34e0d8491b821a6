"""Figures against hand-made records, and intervals against published ones."""

from collections.abc import Iterable
from typing import Any

import pytest

from dptools.evaluation.metrics import Group, Rate, wilson
from dptools.evaluation.summary import Summary
from dptools.evaluation.table import left_out, percent, plain, rate_rows


def record(attack: str, after: int | None, before: int = 2, success: bool = True, clean: int = 1) -> dict[str, Any]:
    tried = {"name": attack, "success": success, "clean_rank": clean, "adversarial_rank": before}
    return {"attack": tried, "classify": {"label_rank": after}}


FAILED = {"attack": {"name": "gs"}, "error": {"stage": "dp-denoise", "type": "T", "message": "m"}}
SKIPPED = {
    "attack": {"name": "gs", "clean_label": 4, "clean_rank": 3},
    "skipped": {"stage": "dp-attack", "type": "T", "message": "m"},
}
RECORDS = [record("gs", 1), record("gs", 3), record("gs", 9, before=7), FAILED, SKIPPED, record("df", 1, 1, False)]


def evaluate(records: Iterable[dict[str, Any]], by: str = "attack") -> list[Group]:
    summary = Summary(by)
    summary.read(records)
    return summary.all_groups


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_intervals_end_at_0_and_1() -> None:
    assert [(wilson(0, n)[0], wilson(n, n)[1]) for n in range(1, 200)] == [(0.0, 1.0)] * 199


def test_groups_are_counted_by_attack() -> None:
    gs, df, total = (group.as_json() for group in evaluate(RECORDS))
    assert (gs["name"], gs["records"], gs["failed"], gs["skipped"]) == ("gs", 5, 1, 1)
    assert gs["success"]["rate"] == 1
    assert [gs["clean"]["top1"]["k"], gs["clean"]["top1"]["n"], gs["clean"]["top5"]["k"]] == [3, 4, 4]
    assert [gs["before"]["top1"]["k"], gs["before"]["top5"]["k"]] == [0, 2]
    assert [gs["after"]["top1"]["k"], gs["after"]["top5"]["k"], gs["after"]["top5"]["n"]] == [1, 2, 3]
    assert (df["name"], df["success"]["k"], df["before"]["top1"]["k"]) == ("df", 0, 1)
    assert (total["name"], total["records"], total["after"]["top1"]["k"]) == ("all", 6, 2)


def test_images_without_attack_or_label_are_counted_where_they_can_be() -> None:
    (group,) = (group.as_json() for group in evaluate([{"classify": {"label_rank": 1}}, {"classify": {}}, {}]))
    assert group["name"] == "none"
    assert (group["records"], group["after"]["top1"]["n"]) == (3, 1)
    assert group["success"] == {"k": 0, "n": 0, "rate": None, "low": None, "high": None}


def test_attacks_of_others_are_counted_as_far_as_they_are_known() -> None:
    theirs = {"attack": {"name": "mine"}, "classify": {"label_rank": 1}}
    (group,) = (group.as_json() for group in evaluate([theirs]))
    assert (group["skipped"], group["after"]["top1"]["k"]) == (0, 1)


def timed(seconds: float | None, tool: str = "dp-denoise") -> dict[str, Any]:
    return {
        **record("gs", 1),
        "stages": [
            {"tool": "dp-attack", "version": "0", "seconds": 9.0},
            {"tool": tool, "version": "0", "seconds": seconds},
        ],
    }


def test_seconds_are_those_of_dp_denoise_where_they_are_known() -> None:
    (group,) = evaluate([timed(9.0), timed(2.0), timed(2.0004), timed(None), timed(1e300), record("gs", 1)])
    assert group.median_seconds == 2.0
    assert evaluate([record("gs", 1)])[0].median_seconds is None
    assert evaluate([timed(3.0, "dp-classify")])[0].median_seconds is None
    twice = timed(3.0)
    twice["stages"] += [{"tool": "dp-denoise", "version": "0", "seconds": 4.0}]
    assert evaluate([twice])[0].median_seconds == 7.0


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("attack", ["gs", "none"]),
        ("method", ["cold oracle", "jpeg:50, clean"]),
        ("label", ["7", "none"]),
        ("denoise.stop.step", ["100", "none"]),
        ("denoise.stop", ['{"reason": "r", "rule": "oracle", "step": 100}', "none"]),
        ("nothing.at.all", ["none"]),
    ],
)
def test_groups_are_by_any_key(key: str, names: list[str]) -> None:
    stop = {"rule": "oracle", "step": 100, "reason": "r"}
    restored = {**record("gs", 1), "label": 7, "denoise": {"method": "dip", "preset": "cold", "stop": stop}}
    filtered = {"denoise": {"method": "jpeg:50"}, "classify": {"label_rank": 1}}
    groups = evaluate([restored, filtered], key)
    assert [group.name for group in groups if group.name != "all"] == names


def test_no_records_no_groups() -> None:
    assert evaluate([]) == []


def test_the_table_fits_a_terminal_and_says_what_it_leaves_out() -> None:
    groups = evaluate(RECORDS)
    lines = [*plain(rate_rows(groups)).splitlines(), *left_out(groups)]
    assert lines[0].split() == [
        "attack",
        "n",
        "success",
        *(["top-1", "before", "top-1", "after", "top-5", "before", "top-5", "after"]),
    ]
    assert lines[1].split()[:4] == ["gs", "3", "100", "[44-100]"]
    assert lines[-2:] == ["skipped: gs 1, all 1", "failed: gs 1, all 1"]
    assert max(map(len, lines)) <= 80


def test_percentages() -> None:
    assert percent(Rate(84, 100)) == "84 [76-90]"
    assert percent(Rate(0, 0)) == "-"


def test_skipped_images_stay_so_when_only_their_files_were_passed_on() -> None:
    read_from_file = {"attack": SKIPPED["attack"], "classify": {"label_rank": 3}}
    assert evaluate([SKIPPED])[0].as_json() == evaluate([read_from_file])[0].as_json()
