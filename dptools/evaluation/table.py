"""Figures as tables: for a terminal of 80 columns, for Markdown, and for a spreadsheet."""

import csv
import io
from collections.abc import Iterable

from dptools.evaluation.gating import CLEAN, POLICIES, Gating
from dptools.evaluation.keys import NONE
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group, Rate
from dptools.evaluation.paired import Comparison, Pairs
from dptools.evaluation.stops import MOST, Stops

COLUMNS = {
    "success": "success",
    "top-1 before": "before_top1",
    "top-1 after": "after_top1",
    "top-5 before": "before_top5",
    "top-5 after": "after_top5",
}

RATES = ("success", *(f"{stage}_{top}" for stage in ("clean", "before", "after") for top in ("top1", "top5")))

Rows = list[list[str]]
"""The first holds the columns' names; of every row, the first cell is a name."""


def plain(rows: Rows) -> str:
    """Any rows for a terminal."""
    return "\n".join(_aligned(rows))


def markdown(rows: Rows) -> str:
    """Any rows as a table of GitHub's Markdown."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_csv(groups: Iterable[Group], by: str = "attack") -> str:
    """A line a group; of each rate k of n, the rate and its interval, as shares."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    parts = ("k", "n", "rate", "low", "high")
    counts = ("records", "skipped", "failed")
    writer.writerow([by, *counts, "seconds", *(f"{name}_{part}" for name in RATES for part in parts)])
    for group in groups:
        rates = [group.rate(name).as_json()[part] for name in RATES for part in parts]
        writer.writerow([group.name, *(group.counts[name] for name in counts), group.median_seconds, *rates])
    return lines.getvalue().rstrip("\n")


def percent(rate: Rate) -> str:
    """``84 [75-91]``: the rate and its interval in per cent; a dash where nothing was counted."""
    if not rate.n:
        return "-"
    return f"{100 * rate.k / rate.n:.0f} [{100 * rate.low:.0f}-{100 * rate.high:.0f}]"


def rate_rows(groups: Iterable[Group], by: str = "attack") -> Rows:
    """The rates of groups, in per cent with their 95 % intervals; those without any are left out."""
    return [[by, "n", *COLUMNS], *(_rate_row(group) for group in groups if group.judged)]


def stop_rows(groups: Iterable[Group], by: str = "attack") -> Rows:
    """Where a rule ended fits; nothing of fits whose end was fixed beforehand."""
    rows = [_stop_row(group.name, group.stops) for group in groups if group.stops.ruled]
    return [[by, "fits", "half ended by", "95 % ended by", "never ended"], *rows] if rows else []


def error_rows(courses: Iterable[LearningCurve]) -> Rows:
    """Over-fits and under-fits."""
    rows = [_error_row(course) for course in courses]
    return [["attack", "fits", "over-fit", "under-fit", "best step"], *rows] if rows else []


def comparison_rows(comparison: Comparison) -> Rows:
    """Two methods on the same images."""
    head = ["right", "pairs", "both", "first only", "second only", "neither", "difference", "p"]
    return [head, *(_pair_row(f"top-{top}", comparison.pairs(top)) for top in (1, 5))]


def suspicion_rows(gating: Gating) -> Rows:
    """How well attacks are told from clean images, and who is suspect."""
    head = ["suspicion", "n", "AUC, %", f"suspect at {gating.threshold:g}"]
    return [head, *(_suspicion_row(gating, name) for name in gating.all_scores)]


def gate_rows(gating: Gating) -> Rows:
    """What becomes of images when nothing, the suspects or everything is restored."""
    rows = [_gate_row(gating, policy, kind) for policy in POLICIES for kind in (False, True)]
    return [["to restore", "images", "top-1", "top-5", "restored", "s an image"], *filter(None, rows)]


def left_out(groups: Iterable[Group]) -> Iterable[str]:
    """A line each for skipped and failed records."""
    groups = list(groups)
    for what in ("skipped", "failed"):
        alone = [group.name for group in groups] == [NONE]
        named = [
            f"{'' if alone else group.name} {group.counts[what]}".strip() for group in groups if group.counts[what]
        ]
        if named:
            yield f"{what}: {', '.join(named)}"


def _rate_row(group: Group) -> list[str]:
    return [group.name, str(group.judged), *(percent(group.rate(key)) for key in COLUMNS.values())]


def _stop_row(name: str, stops: Stops) -> list[str]:
    return [name, str(stops.n), _known(stops.by(0.5)), _known(stops.by(MOST)), str(stops.unfinished)]


def _error_row(course: LearningCurve) -> list[str]:
    rates = [percent(Rate(k, course.n)) for k in (course.overfit, course.underfit)]
    return [course.name, str(course.n), *rates, _known(course.best)]


def _pair_row(name: str, pairs: Pairs) -> list[str]:
    counts = [str(count) for count in (pairs.n, pairs.both, pairs.first, pairs.second, pairs.neither)]
    if not pairs.n:
        return [name, *counts, "-", "-"]
    low, high = pairs.interval
    return [name, *counts, f"{100 * pairs.difference:+.0f} [{100 * low:+.0f} {100 * high:+.0f}]", f"{pairs.p:.2g}"]


def _suspicion_row(gating: Gating, name: str) -> list[str]:
    found = None if name == CLEAN else gating.area(name)
    auc = f"{100 * found.value:.1f} [{100 * found.low:.0f}-{100 * found.high:.0f}]" if found else "-"
    return [name, str(gating.all_scores[name].total()), auc, percent(gating.flagged(name))]


def _gate_row(gating: Gating, policy: str, attacked: bool) -> list[str]:
    """Nothing of images whose labels nobody knows."""
    outcome = gating.outcome(policy, attacked)
    if not outcome.rate("top1").n:
        return []
    rates = [percent(rate) for rate in (outcome.rate("top1"), outcome.rate("top5"), outcome.restored)]
    seconds = outcome.mean_seconds
    return [policy, "attacked" if attacked else CLEAN, *rates, "-" if seconds is None else f"{seconds:.2g}"]


def _known(step: int | None) -> str:
    return "-" if step is None else str(step)


def _aligned(rows: Rows) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        yield "  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])
