"""Tables of the report."""

from collections.abc import Iterator
from dataclasses import dataclass

from dptools.attacks.registry import PAPER
from dptools.evaluation.adaptive import evaluations, warnings
from dptools.evaluation.formatting import Rows, Texts, percent
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import NONE
from dptools.evaluation.metrics import Group
from dptools.evaluation.paper_results import PAPER_RESULTS, PaperResult
from dptools.evaluation.summary import Summary
from dptools.evaluation.table import (
    certified_rows,
    checklist_rows,
    comparison_rows,
    error_rows,
    excluded,
    gate_rows,
    rate_rows,
    robustness_rows,
    stop_rows,
    suspicion_rows,
)


@dataclass(frozen=True)
class Section:
    """A table with a heading, and a note below it."""

    title: str
    rows: Rows
    note: str = ""

    @property
    def texts(self) -> bool:
        """Whether the cells are texts, which are aligned left and wrapped."""
        return isinstance(self.rows, Texts)


def sections(summary: Summary, *, published: bool = True) -> Iterator[Section]:
    """Yield the tables of a summary, which may be empty or have only a header.

    With ``published``, results of the Deep Protection paper are shown beside comparable ones.
    """
    groups = summary.all_groups
    yield Section(f"By {summary.title}", rate_rows(groups, summary.title), "; ".join(excluded(groups)))
    if summary.certificates:
        note = "Per cent of images whose correct class no perturbation with an L2 norm up to the radius can change."
        yield Section("Certified accuracy", certified_rows(summary.certificates), note)
    yield from _robustness_sections(summary)
    if len(summary.methods) > 1:
        matrix = _matrix(summary)
        note = "“none” stands for clean images." if NONE in matrix[0] else ""
        yield Section("Top-1 accuracy by method and attack", matrix, note)
    if summary.gate:
        yield from _gate_sections(summary)
    if summary.comparisons:
        unpaired = ", ".join(f"{comparison.second}: {comparison.unpaired}" for comparison in summary.comparisons)
        note = (
            "McNemar's exact test; if an image occurs several times, all its pairs exchange the methods at "
            f"once. Records in no pair, without a partner or with an unknown result: {unpaired}."
        )
        yield Section("Comparison with other records", comparison_rows(summary.comparisons), note)
    yield Section(
        "Iterations at which fits of the deep image prior stopped",
        stop_rows(groups, summary.title),
        "The Deep Protection paper sets its fixed number of iterations so that 95 % of fits had stopped by then.",
    )
    yield Section(
        "Errors by top-5",
        error_rows(summary.curves),
        "Over-fit: wrong at the last checkpoint, and correct at an earlier one. Under-fit: correct at no checkpoint. "
        "Best step: the iteration at which most fits are correct.",
    )
    yield Section(
        "Results of the Deep Protection paper",
        _paper_rows(summary) if published else [],
        "Another network (resnet18) and other images: 73 that it classifies correctly, attacked in eight ways "
        f"({', '.join(PAPER)}).",
    )


def _robustness_sections(summary: Summary) -> Iterator[Section]:
    if not summary.robustness:
        return
    note = (
        "Per cent of all images, with those that the defended classifier misclassifies without an attack. Mean: over "
        "the draws that judge; majority: most draws are correct; worst case: all draws are correct."
    )
    yield Section("Robust accuracy", robustness_rows(summary.robustness), note)
    for evaluation in evaluations(summary.robustness):
        note = " ".join(f"Warning: {text}." for text in warnings(evaluation))
        if evaluation.through != NONE:
            yield Section(f"Checklist for {evaluation.name}", checklist_rows(evaluation), note)


def _gate_sections(summary: Summary) -> Iterator[Section]:
    note = (
        "AUC: the probability that an attacked image has a higher suspicion than a clean one, with DeLong's interval."
    )
    yield Section("Suspicion", suspicion_rows(summary.gate), note if summary.gate.curves else "")
    note = f"“suspects”: images with a suspicion of {summary.gate.threshold:g} or more. Seconds include the detection."
    if len(summary.gate.methods) > 1:
        note += f" Several methods are combined: {', '.join(summary.gate.methods)}."
    yield Section("With and without a gate", gate_rows(summary.gate), note)


def _matrix(summary: Summary) -> Rows:
    """Return the top-1 accuracies, with a row for each method and a column for each attack."""
    known = {cell: group.rate("after_top1") for cell, group in summary.cells.items() if group.rate("after_top1").n}
    attacks = list(dict.fromkeys(attack for _, attack in known))
    methods = list(dict.fromkeys(method for method, _ in known))
    rows = [[method, *(percent(known.get((method, attack), Rate(0, 0))) for attack in attacks)] for method in methods]
    return [["method", *attacks], *rows]


def _paper_rows(summary: Summary) -> Rows:
    """Return the paper's results beside those of comparable methods in the records."""
    rows = Texts([["figure", "published", "here"]])
    for result in PAPER_RESULTS:
        own = [
            f"{method}: {percent(rate)} (n = {rate.n}{_other_attacks(summary, method, result)})"
            for method, pair in summary.methods.items()
            if (rate := _same_rate(result, pair)).n and result.is_comparable(method)
        ]
        if own:
            rows.append([result.description, f"{result.percent:g} (n = {result.n})", "; ".join(own)])
    return rows


def _other_attacks(summary: Summary, method: str, result: PaperResult) -> str:
    """Return the attacks on the images of a method as a text; empty if they are those of the paper's result."""
    found = [
        attack
        for (name, attack), group in summary.cells.items()
        if name == method and attack != NONE and group.rate(f"after_top{result.top}").n
    ]
    return "" if result.clean or set(found) == set(PAPER) else f"; attacks: {', '.join(found)}"


def _same_rate(result: PaperResult, pair: tuple[Group, Group]) -> Rate:
    clean, attacked = pair
    return (clean if result.clean else attacked).rate(f"after_top{result.top}")
