"""Groups and their rates."""

from collections.abc import Iterable
from typing import Any

import pytest

from dptools.evaluation.formatting import plain
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import method
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import Summary
from dptools.evaluation.table import excluded, rate_rows


def record(attack: str, after: int | None, before: int = 2, success: bool = True, clean: int = 1) -> dict[str, Any]:
    attacked = {"name": attack, "success": success, "clean_rank": clean, "adversarial_rank": before}
    return {"attack": attacked, "classify": {"label_rank": after}}


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


def test_groups_are_counted_by_attack() -> None:
    gs, df, total = (group.as_json() for group in evaluate(RECORDS))
    assert (gs["name"], gs["records"], gs["failed"], gs["skipped"]) == ("gs", 5, 1, 1)
    assert gs["success"]["rate"] == 1
    assert [gs["clean"]["top1"]["k"], gs["clean"]["top1"]["n"], gs["clean"]["top5"]["k"]] == [3, 4, 4]
    assert [gs["before"]["top1"]["k"], gs["before"]["top5"]["k"]] == [0, 2]
    assert [gs["after"]["top1"]["k"], gs["after"]["top5"]["k"], gs["after"]["top5"]["n"]] == [1, 2, 3]
    assert (df["name"], df["success"]["k"], df["before"]["top1"]["k"]) == ("df", 0, 1)
    assert (total["name"], total["records"], total["after"]["top1"]["k"]) == ("all", 6, 2)


def test_images_without_attack_or_label_are_in_the_group_none() -> None:
    (group,) = (group.as_json() for group in evaluate([{"classify": {"label_rank": 1}}, {"classify": {}}, {}]))
    assert group["name"] == "none"
    assert (group["records"], group["after"]["top1"]["n"]) == (3, 1)
    assert group["success"] == {"k": 0, "n": 0, "rate": None, "low": None, "high": None}


def test_records_of_attacks_by_other_programs_count_in_the_rates_they_have_keys_for() -> None:
    foreign = {"attack": {"name": "mine"}, "classify": {"label_rank": 1}}
    (group,) = (group.as_json() for group in evaluate([foreign]))
    assert (group["skipped"], group["after"]["top1"]["k"]) == (0, 1)


def timed(seconds: float | None, tool: str = "dp-denoise") -> dict[str, Any]:
    return {
        **record("gs", 1),
        "stages": [
            {"tool": "dp-attack", "version": "0", "seconds": 9.0},
            {"tool": tool, "version": "0", "seconds": seconds},
        ],
    }


def test_seconds_are_the_median_of_dp_denoise() -> None:
    (group,) = evaluate([timed(9.0), timed(2.0), timed(2.0004), timed(None), timed(1e300), record("gs", 1)])
    assert group.median_seconds == 2.0
    assert evaluate([record("gs", 1)])[0].median_seconds is None
    assert evaluate([timed(3.0, "dp-classify")])[0].median_seconds is None
    two_runs = timed(3.0)
    two_runs["stages"] += [{"tool": "dp-denoise", "version": "0", "seconds": 4.0}]
    assert evaluate([two_runs])[0].median_seconds == 7.0


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("attack", ["gs", "none"]),
        ("method", ["dip oracle", "jpeg:50, clean"]),
        ("label", ["7", "none"]),
        ("denoise.stop.step", ["100", "none"]),
        ("denoise.stop", ['{"criterion": "oracle", "reason": "r", "step": 100}', "none"]),
        ("nothing.at.all", ["none"]),
    ],
)
def test_records_are_grouped_by_any_key(key: str, names: list[str]) -> None:
    stop = {"criterion": "oracle", "step": 100, "reason": "r"}
    fitted = {**record("gs", 1), "label": 7, "denoise": {"method": "dip", "stop": stop}}
    filtered = {"denoise": {"method": "jpeg:50"}, "classify": {"label_rank": 1}}
    groups = evaluate([fitted, filtered], key)
    assert [group.name for group in groups if group.name != "all"] == names


@pytest.mark.parametrize(
    ("denoise", "name"),
    [
        ({"method": "denoiser", "passes": 1}, "denoiser"),
        ({"method": "photo", "passes": 1}, "photo"),
        ({"method": "dip", "stop": {"criterion": "plateau"}}, "dip plateau"),
        ({"method": "paper", "stop": {"criterion": "fixed:1750"}}, "paper fixed:1750"),
        ({"method": "jpeg:50"}, "jpeg:50"),
        ({"method": "none", "gate": {"method": "denoiser"}}, "denoiser if suspect"),
        (None, "none"),
    ],
)
def test_methods_are_named_with_the_stopping_criterion_of_a_fit(denoise: Any, name: str) -> None:
    assert method({"denoise": denoise}) == name


def test_without_records_there_are_no_groups() -> None:
    assert evaluate([]) == []


def test_the_table_fits_80_columns_and_counts_excluded_records() -> None:
    groups = evaluate(RECORDS)
    lines = [*plain(rate_rows(groups)).splitlines(), *excluded(groups)]
    assert lines[0].split() == [
        "attack",
        "n",
        "success",
        *(["top-1", "before", "top-1", "after", "top-5", "before", "top-5", "after"]),
    ]
    assert lines[1].split()[:4] == ["gs", "3", "100", "[44-100]"]
    assert lines[-2:] == ["skipped: gs 1, all 1", "failed: gs 1, all 1"]
    assert max(map(len, lines)) <= 80


def test_skipped_images_are_recognised_without_the_key_skipped() -> None:
    read_from_file = {"attack": SKIPPED["attack"], "classify": {"label_rank": 3}}
    assert evaluate([SKIPPED])[0].as_json() == evaluate([read_from_file])[0].as_json()


def purified(source: str, attack: str, method_name: str, rank: int) -> dict[str, Any]:
    return {**record(attack, rank), "source": source, "denoise": {"method": method_name}}


def test_methods_are_never_pooled() -> None:
    groups = evaluate(
        [
            *[purified("a", attack, "denoiser", 1) for attack in ("gs", "cw")],
            *[purified("a", attack, "jpeg:50", 9) for attack in ("gs", "cw")],
        ]
    )
    assert [(group.name, group.rate("after_top1").k, group.rate("after_top1").n) for group in groups] == [
        ("denoiser: gs", 1, 1),
        ("denoiser: cw", 1, 1),
        ("denoiser: all", 2, 2),
        ("jpeg:50: gs", 0, 1),
        ("jpeg:50: cw", 0, 1),
        ("jpeg:50: all", 0, 2),
    ]


def test_classified_images_with_and_without_purification_are_not_pooled() -> None:
    attacked = [{**record("gs", 9), "source": source} for source in ("a", "b")]
    after = [purified("a", "gs", "jpeg:75", 1), purified("b", "gs", "jpeg:75", 9)]
    groups = {group.name: group.rate("after_top1") for group in evaluate([*attacked, *after])}
    assert groups == {"none: gs": Rate(0, 2), "jpeg:75: gs": Rate(1, 2)}
    only_attacked = [{**each, "classify": {}} for each in attacked]
    assert [group.name for group in evaluate([*only_attacked, SKIPPED, *after])] == ["gs"]


@pytest.mark.parametrize("skipped", [0, 4])
def test_the_total_has_all_records_wherever_the_skipped_ones_are(skipped: int) -> None:
    """A skipped image never reaches dp-denoise, so its record names no method."""
    records = [purified(image, attack, "jpeg:75", 1) for image in ("a", "b") for attack in ("gs", "agn")]
    records[skipped:skipped] = [{**SKIPPED, "attack": {**SKIPPED["attack"], "name": name}} for name in ("gs", "agn")]
    *_, total = (group.as_json() for group in evaluate(records))
    assert (total["name"], total["records"], total["skipped"]) == ("all", 6, 2)
    assert [total["after"]["top1"]["n"], total["clean"]["top1"]["n"]] == [4, 6]


def test_records_are_grouped_by_several_keys() -> None:
    summary = Summary(["method", "attack.epsilon"])
    summary.read([{**record("pgd", 1), "attack": {"name": "pgd", "epsilon": 0.1, "success": True}}, record("gs", 1)])
    assert [group.name for group in summary.all_groups] == ["none, 0.1", "none, none"]
    assert summary.as_json()["by"] == "method, attack.epsilon"


def test_the_total_counts_images_not_attacks() -> None:
    """Eight attacks with the same result on each image tell no more than one."""
    records = [
        purified(f"image{number}", f"attack{attack}", "denoiser", 1 if number < 10 else 9)
        for number in range(20)
        for attack in range(8)
    ]
    *_, total = evaluate(records)
    one = Rate(10, 20)
    assert (total.name, total.rate("after_top1").k, total.rate("after_top1").n) == ("all", 80, 160)
    assert (total.rate("after_top1").low, total.rate("after_top1").high) == pytest.approx((one.low, one.high))
    independent = evaluate(
        [purified(f"i{number}", f"a{number % 2}", "denoiser", 1 + number % 3) for number in range(90)]
    )
    rate = independent[-1].rate("after_top1")
    assert (rate.low, rate.high) == pytest.approx((Rate(30, 90).low, Rate(30, 90).high))


def test_an_image_that_an_attack_repeats_counts_once_in_the_interval() -> None:
    records = [purified(f"image{number}", "pgd", "none", 1 + number % 2) for number in range(10)]
    (group,) = evaluate(records * 4)
    once, rate = Rate(5, 10), group.rate("after_top1")
    assert (rate.k, rate.n) == (20, 40)
    assert (rate.low, rate.high) == pytest.approx((once.low, once.high))


def test_images_whose_names_have_an_at_sign_are_different_images() -> None:
    """Records of other programs may have no source. The suffix of the attack is not part of the name."""
    names = [f"photo@{number}x.png" for number in range(40)]
    top = [{"index": 1}]
    records = [{"id": name, "label": number % 2, "classify": {"top": top}} for number, name in enumerate(names)]
    (clean,) = evaluate(records)
    assert clean.rate("after_top1") == Rate(20, 40)
    attacked = [{**each, "id": f"{each['id']}@{name}", "attack": {"name": name}} for each in records for name in "ab"]
    *_, total = evaluate(attacked)
    rate = total.rate("after_top1")
    assert (rate.low, rate.high) == pytest.approx((Rate(20, 40).low, Rate(20, 40).high))


def test_more_images_than_are_remembered_count_as_possibly_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the interval is not too narrow if images beyond that number occur several times."""
    monkeypatch.setattr("dptools.evaluation.image_counts.MAX_IMAGES", 5)
    first = [purified(f"image{number}", "pgd", "none", 1 + number % 2) for number in range(5)]
    later = [purified(f"later{number}", "pgd", "none", 1 + number % 2) for number in range(5)]
    (group,) = evaluate(first + later * 8)
    once, rate = Rate(5, 10), group.rate("after_top1")
    assert rate.n == 45
    assert rate.high - rate.low > 0.9 * (once.high - once.low)


@pytest.mark.parametrize("rank", [1, 9])
def test_the_interval_of_different_images_is_wilsons(rank: int) -> None:
    (group,) = evaluate([purified(f"image{number}", "pgd", "none", rank) for number in range(1000)])
    assert group.rate("after_top1") == Rate(1000 if rank == 1 else 0, 1000)
