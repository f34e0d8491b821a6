"""Learning curves of fits and the iterations at which fits stopped."""

from collections.abc import Iterable, Iterator
from typing import Any

from dptools.evaluation.learning_curves import learning_curves
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import Summary


def fit(name: str, attack: str, *ranks: int | None) -> Iterator[dict[str, Any]]:
    """Yield the trace of a fit with these ranks of the true label at iterations 50, 100 and so on."""
    for number, rank in enumerate(ranks, start=1):
        yield {"id": name, "attack": attack, "iteration": 50 * number, "label_rank": rank}


def test_over_fits_and_under_fits_are_counted_by_attack() -> None:
    points = [
        *fit("a@gs", "gs", 900, 3, 1),  # correct at the end
        *fit("b@gs", "gs", 900, 5, 6),  # over-fit: correct by top-5 earlier
        *fit("c@gs", "gs", 900, 6, 7),  # under-fit: never correct
        *fit("a@cw", "cw", 1, 1, 9),
        *fit("unknown", "cw", None, None),  # without a label: ignored
    ]
    gs, cw, total = learning_curves(points)
    assert (gs.name, gs.n, gs.overfit, gs.underfit) == ("gs", 3, 1, 1)
    assert (cw.name, cw.n, cw.overfit, cw.underfit) == ("cw", 1, 1, 0)
    assert (total.name, total.n, total.overfit, total.underfit) == ("all", 4, 2, 1)
    assert gs.as_json()["checkpoints"] == [
        {"iteration": 50, "n": 3, "top1": 0, "top5": 0},
        {"iteration": 100, "n": 3, "top1": 0, "top5": 2},
        {"iteration": 150, "n": 3, "top1": 1, "top5": 1},
    ]


def test_a_repeated_trace_counts_as_separate_fits() -> None:
    points = [*fit("a", "gs", 9, 1)]
    (gs,) = learning_curves([*points, *points])
    assert (gs.n, gs.fits[50], gs.top1[100], gs.best) == (2, 2, 2, 100)


def test_the_best_step_is_the_most_accurate_one_that_all_fits_reached() -> None:
    (gs,) = learning_curves([*fit("a", "gs", 9, 2, 1), *fit("b", "gs", 9, 9, 1, 1)])
    assert gs.best == 150
    (gs,) = learning_curves([*fit("a", "gs", 9), *fit("b", "gs", 9, 1)])
    assert gs.best == 50
    assert learning_curves([]) == []


def evaluate(records: Iterable[dict[str, Any]]) -> list[Group]:
    summary = Summary()
    summary.read(records)
    return summary.all_groups


def stopped(step: int, reason: str = "true label found") -> dict[str, Any]:
    return {"attack": {"name": "gs"}, "denoise": {"stop": {"criterion": "oracle", "step": step, "reason": reason}}}


def test_the_suggested_step_is_the_one_by_which_95_percent_of_fits_stopped() -> None:
    records = [*map(stopped, range(50, 1000, 50)), stopped(3000, "iteration limit reached")]
    (group,) = evaluate(records)
    stops = group.stops.as_json()
    assert stops is not None
    assert (stops["n"], stops["unfinished"], stops["median"], stops["suggested"]) == (20, 1, 500, 950)
    assert stops["histogram"][0] == {"step": 50, "count": 1}
    assert len(stops["histogram"]) == 19


def test_no_step_is_suggested_if_too_many_fits_did_not_stop() -> None:
    (group,) = evaluate([stopped(50), stopped(3000, "iteration limit reached")])
    assert (group.stops.quantile(0.5), group.stops.quantile(0.95)) == (50, None)
    (group,) = evaluate([{"attack": {"name": "gs"}}])
    assert group.stops.as_json() is None


def test_histogram_bins_are_named_after_their_last_step() -> None:
    (group,) = evaluate([stopped(1), stopped(50), stopped(51)])
    assert group.stops.histogram == {50: 2, 100: 1}
