"""Fits looked at on their way: over-fits and under-fits as the paper defines them, and the step that suits most."""

from collections.abc import Iterable, Iterator
from typing import Any

from dptools.evaluation.learning_curves import follow
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import Summary


def fit(name: str, attack: str, *ranks: int | None) -> Iterator[dict[str, Any]]:
    for number, rank in enumerate(ranks, start=1):
        yield {"id": name, "attack": attack, "iteration": 50 * number, "label_rank": rank}


def test_errors_are_over_fits_or_under_fits() -> None:
    points = [
        *fit("a@gs", "gs", 900, 3, 1),  # right at the end
        *fit("b@gs", "gs", 900, 5, 6),  # over-fit: was among five
        *fit("c@gs", "gs", 900, 6, 7),  # under-fit: never was
        *fit("a@cw", "cw", 1, 1, 9),
        *fit("unknown", "cw", None, None),  # no label: in no figure
    ]
    gs, cw, whole = follow(points)
    assert (gs.name, gs.n, gs.overfit, gs.underfit) == ("gs", 3, 1, 1)
    assert (cw.name, cw.n, cw.overfit, cw.underfit) == ("cw", 1, 1, 0)
    assert (whole.name, whole.n, whole.overfit, whole.underfit) == ("all", 4, 2, 1)
    assert gs.as_json()["checkpoints"] == [
        {"iteration": 50, "n": 3, "top1": 0, "top5": 0},
        {"iteration": 100, "n": 3, "top1": 0, "top5": 2},
        {"iteration": 150, "n": 3, "top1": 1, "top5": 1},
    ]


def test_a_trace_given_twice_is_two_fits_each_time() -> None:
    points = [*fit("a", "gs", 9, 1)]
    (gs,) = follow([*points, *points])
    assert (gs.n, gs.seen[50], gs.top1[100], gs.best) == (2, 2, 2, 100)


def test_the_best_step_is_where_most_are_right_and_all_have_come() -> None:
    (gs,) = follow([*fit("a", "gs", 9, 2, 1), *fit("b", "gs", 9, 9, 1, 1)])
    assert gs.best == 150
    (gs,) = follow([*fit("a", "gs", 9), *fit("b", "gs", 9, 1)])
    assert gs.best == 50
    assert follow([]) == []


def evaluate(records: Iterable[dict[str, Any]]) -> list[Group]:
    summary = Summary()
    summary.read(records)
    return summary.all_groups


def stopped(step: int, reason: str = "true label found") -> dict[str, Any]:
    return {"attack": {"name": "gs"}, "denoise": {"stop": {"rule": "oracle", "step": step, "reason": reason}}}


def test_a_fixed_step_is_suggested_that_is_enough_for_most_fits() -> None:
    records = [*map(stopped, range(50, 1000, 50)), stopped(3000, "most iterations done")]
    (group,) = evaluate(records)
    found = group.stops.as_json()
    assert found is not None
    assert (found["n"], found["unfinished"], found["median"], found["suggested"]) == (20, 1, 500, 950)
    assert found["histogram"][0] == {"step": 50, "count": 1}
    assert len(found["histogram"]) == 19


def test_no_step_is_suggested_when_too_many_never_ended() -> None:
    (group,) = evaluate([stopped(50), stopped(3000, "most iterations done")])
    assert (group.stops.by(0.5), group.stops.by(0.95)) == (50, None)
    (group,) = evaluate([{"attack": {"name": "gs"}}])
    assert group.stops.as_json() is None


def test_steps_between_are_counted_in_the_bin_that_they_end_in() -> None:
    (group,) = evaluate([stopped(1), stopped(50), stopped(51)])
    assert group.stops.histogram == {50: 2, 100: 1}
