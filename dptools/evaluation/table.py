"""Build the tables of a summary."""

import csv
import io
from collections.abc import Iterable, Sequence

from dptools.evaluation.adaptive import Evaluation
from dptools.evaluation.certified import CertificateEvaluation
from dptools.evaluation.checklist import checklist
from dptools.evaluation.formatting import Rows, Texts, or_dash, percent
from dptools.evaluation.gate_policies import POLICIES
from dptools.evaluation.gating import CLEAN, GateEvaluation
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import NONE
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group
from dptools.evaluation.paired import Comparison, adjusted_p_values
from dptools.evaluation.robustness import Robustness
from dptools.evaluation.run_key import names, number
from dptools.evaluation.stops import SUGGESTED_SHARE, StopStatistics
from dptools.texts import printable

COLUMNS = {
    "success": "success",
    "top-1 before": "before_top1",
    "top-1 after": "after_top1",
    "top-5 before": "before_top5",
    "top-5 after": "after_top5",
}
"""The rate that each column of the table shows. The table fits a terminal of 80 columns."""

RATES = ("success", *(f"{stage}_{top}" for stage in ("clean", "before", "after") for top in ("top1", "top5")))
"""The names of all rates of a group."""


def as_csv(groups: Iterable[Group], by: str = "attack") -> str:
    """Return the groups as CSV, one line each.

    Each rate has five columns: k, n, the rate, and the bounds of its interval, as fractions.
    """
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    parts = ("k", "n", "rate", "low", "high")
    counts = ("records", "skipped", "failed")
    writer.writerow([by, *counts, "seconds", *(f"{name}_{part}" for name in RATES for part in parts)])
    for group in groups:
        rates = [group.rate(name).as_json()[part] for name in RATES for part in parts]
        writer.writerow([group.name, *(group.counts[name] for name in counts), group.median_seconds, *rates])
    return lines.getvalue().rstrip("\n")


def rate_rows(groups: Iterable[Group], by: str = "attack") -> Rows:
    """Return the rates of the groups in per cent with 95 % intervals.

    Groups without scored records are left out, and so are rates that no group has.
    """
    shown = [group for group in groups if group.scored]
    columns = {title: name for title, name in COLUMNS.items() if any(group.rate(name).n for group in shown)}
    rows = [
        [group.name, str(group.scored), *(percent(group.rate(name)) for name in columns.values())] for group in shown
    ]
    return [[by, "n", *columns], *rows]


def stop_rows(groups: Iterable[Group], by: str = "attack") -> Rows:
    """Return the iterations at which the stopping criterion ended the fits of each group.

    Groups are left out if all their fits ran for a fixed number of iterations. If no group remains, the table is empty.
    """
    rows = [_stop_row(group.name, group.stops) for group in groups if group.stops.adaptive]
    return [[by, "fits", "half ended by", "95 % ended by", "never ended"], *rows] if rows else []


def error_rows(curves: Iterable[LearningCurve]) -> Rows:
    """Return over-fits, under-fits and the best iteration of each attack; an empty table without traces."""
    rows = [_error_row(curve) for curve in curves]
    return [["attack", "fits", "over-fit", "under-fit", "best step"], *rows] if rows else []


def comparison_rows(comparisons: Sequence[Comparison]) -> Rows:
    """Return comparisons of two methods on the same images, by top-1 and by top-5 accuracy.

    If there are several, the p values are adjusted for their number (Holm). Top-5 is left out without pairs.
    """
    p_name = "p" if len(comparisons) < 2 else "p (Holm)"
    rows = [["first, second: right", "pairs", "both", "first only", "second only", "neither", "difference", p_name]]
    for top in (1, 5):
        p_values = adjusted_p_values(comparisons, top)
        rows += [
            _pair_row(comparison, top, p)
            for comparison, p in zip(comparisons, p_values, strict=True)
            if comparison.pairs(top).n or top == 1
        ]
    return rows


def robustness_rows(robustness: Robustness) -> Rows:
    """Return the robust accuracy in per cent of all images, with a row for each run and for all runs of a threat.

    Images that the defended classifier misclassifies without an attack count as not robust.
    """
    rows = [["attack", "behind", "n", "clean", "mean", "majority", "worst case"]]
    for key, name in names(robustness.runs).items():
        run = robustness.runs[key]
        rates = [percent(run.clean), f"{100 * run.mean:.0f}", percent(run.majority), percent(run.worst)]
        rows.append([name, key.through, str(len(run.outcomes)), *rates])
    for threat in robustness.threats:
        if len(robustness.of_threat(threat)) > 1:
            model, through, norm, epsilon = threat
            on = f" on {printable(model)}" if robustness.several_models else ""
            rate = robustness.together(threat)
            rows.append([f"all {norm or ''} {number(epsilon)}{on}", through, str(rate.n), "", "", percent(rate), ""])
    return rows


def certified_rows(certificates: CertificateEvaluation) -> Rows:
    """Return certified accuracy by radius, in per cent of all images and of those correct without noise."""
    radii = [f"{radius:g}" for radius in certificates.radii]
    rows = [["certified at L2", "of", "n", *radii, "abstained", "mean radius"]]
    for name, group in certificates.named():
        best = group.sigma is None
        for of_correct in (False, True) if group.knows_clean else (False,):
            rates = [group.accuracy(radius, of_correct=of_correct) for radius in certificates.radii]
            ends = ["", ""] if of_correct or best else [percent(group.abstained), f"{group.mean_radius:.3f}"]
            count = str(group.accuracy(0, of_correct=of_correct).n)
            rows.append([name, "correct ones" if of_correct else "all", count, *map(percent, rates), *ends])
    return rows


def checklist_rows(evaluation: Evaluation) -> Rows:
    """Return the checklist of an evaluation; the last column shows what the records have, or a command."""
    rows = [[f"{item.number:2}", item.title, item.state, item.detail] for item in checklist(evaluation)]
    return Texts([["", f"checklist for {evaluation.name}", "state", "found, or what would meet it"], *rows])


def suspicion_rows(gate: GateEvaluation) -> Rows:
    """Return how well each attack is detected: the area under the ROC curve, and the rate of suspects.

    Without clean images, no attack has an area, and that column is left out.
    """
    rows = [_suspicion_row(gate, name) for name in gate.all_scores]
    columns = [0, 1, *([2] if gate.curves else []), 3]
    header = ["suspicion", "n", "AUC, %", f"suspect at {gate.threshold:g}"]
    return [[row[column] for column in columns] for row in (header, *rows)]


def gate_rows(gate: GateEvaluation) -> Rows:
    """Return accuracy and cost of each policy: purify nothing, only suspect images, or everything."""
    rows = [_gate_row(gate, policy, attacked) for policy in POLICIES for attacked in (False, True)]
    return [["purify", "images", "top-1", "top-5", "purified", "s an image"], *filter(None, rows)]


def excluded(groups: Iterable[Group]) -> Iterable[str]:
    """Yield a line with the number of skipped records of each group, and one for failed records."""
    groups = list(groups)
    unnamed = [group.name for group in groups] == [NONE]
    for reason in ("skipped", "failed"):
        counts = [
            f"{'' if unnamed else group.name} {group.counts[reason]}".strip()
            for group in groups
            if group.counts[reason]
        ]
        if counts:
            yield f"{reason}: {', '.join(counts)}"


def _stop_row(name: str, stops: StopStatistics) -> list[str]:
    quantiles = [or_dash(stops.quantile(share)) for share in (0.5, SUGGESTED_SHARE)]
    return [name, str(stops.n), *quantiles, str(stops.unfinished)]


def _error_row(curve: LearningCurve) -> list[str]:
    rates = [percent(Rate(k, curve.n)) for k in (curve.overfit, curve.underfit)]
    return [curve.name, str(curve.n), *rates, or_dash(curve.best)]


def _pair_row(comparison: Comparison, top: int, p: float) -> list[str]:
    pairs, name = comparison.pairs(top), f"{comparison.first}, {comparison.second}: top-{top}"
    counts = [str(count) for count in (pairs.n, pairs.both, pairs.first, pairs.second, pairs.neither)]
    if not pairs.n:
        return [name, *counts, "-", "-"]
    low, high = pairs.interval
    return [name, *counts, f"{100 * pairs.difference:+.0f} [{100 * low:+.0f} {100 * high:+.0f}]", f"{p:.2g}"]


def _suspicion_row(gate: GateEvaluation, name: str) -> list[str]:
    area = gate.auc(name)
    auc = f"{100 * area.value:.1f} [{100 * area.low:.0f}-{100 * area.high:.0f}]" if area else "-"
    return [name, str(gate.all_scores[name].total()), auc, percent(gate.suspect_rate(name))]


def _gate_row(gate: GateEvaluation, policy: str, attacked: bool) -> list[str]:
    """Return the row of a policy; empty if no image has a known label."""
    statistics = gate.policy(policy, attacked)
    if not statistics.rate("top1").n:
        return []
    rates = [percent(rate) for rate in (statistics.rate("top1"), statistics.rate("top5"), statistics.restored)]
    return [policy, "attacked" if attacked else CLEAN, *rates, or_dash(statistics.mean_seconds, ".2g")]
