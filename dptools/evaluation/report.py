"""A summary as one HTML file that needs nothing else: for a browser, a phone's too."""

import base64
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment

from dptools.evaluation.gallery import Drawing, render
from dptools.evaluation.keys import NONE
from dptools.evaluation.metrics import Group
from dptools.evaluation.paper_results import PAPER
from dptools.evaluation.summary import Summary
from dptools.evaluation.table import (
    Rows,
    comparison_rows,
    error_rows,
    gate_rows,
    left_out,
    percent,
    rate_rows,
    stop_rows,
    suspicion_rows,
)

TITLE = "Restoration of adversarial images"


@dataclass(frozen=True)
class Section:
    """A table under a title."""

    title: str
    rows: Rows
    note: str = ""
    texts: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as it stands in the file."""

    name: str
    caption: str
    kind: str
    data: str


def report(summary: Summary, drawings: Iterable[Drawing]) -> str:
    """The HTML."""
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("dptools.evaluation").joinpath("report.html").read_text("utf-8")
    )
    return template.render(
        title=TITLE,
        lead=_lead(summary),
        sections=[section for section in _sections(summary) if len(section.rows) > 1],
        pictures=[_picture(drawing) for drawing in drawings],
        used=[(what, ", ".join(sorted(values))) for what, values in sorted(summary.used.items())],
    )


def _lead(summary: Summary) -> str:
    """What a reader takes home, of the method that surely brings most attacked images back. One that knows the label is
    no defence."""
    found = {
        name: pair
        for name, pair in summary.methods.items()
        if name != NONE and not name.endswith(" oracle") and pair[1].rate("after_top1").n
    }
    if not found:
        return "No record tells what became of an attacked image: it has to be restored, and classified with its label."
    name, (clean, attacked) = max(found.items(), key=lambda item: item[1][1].rate("after_top1").low)
    rate, before = attacked.rate("after_top1"), attacked.rate("before_top1")
    parts = [f"{percent(rate)} % of {rate.n} attacked images are right after it"]
    parts += [f"{percent(attacked.rate('after_top5'))} % by the first five classes"]
    parts += [f"{percent(before)} % were before"] if before.n else []
    if (kept := clean.rate("after_top1")).n:
        parts.append(f"of {kept.n} clean ones, {percent(kept)} % are right after it")
    best = f"Of {len(found)} methods, {name} brings most back" if len(found) > 1 else f"Restored by {name}"
    return f"{best}: {', '.join(parts)}."


def _sections(summary: Summary) -> Iterator[Section]:
    groups = summary.all_groups
    yield Section(f"By {summary.by}", rate_rows(groups, summary.by), "; ".join(left_out(groups)))
    if len(summary.methods) > 1:
        yield Section("Top-1 by method and attack", _matrix(summary), "“none” are the clean images.")
    if summary.gating:
        note = (
            "AUC: how probable it is that an attacked image is suspected more than a clean one, with DeLong's interval."
        )
        yield Section("Suspicion", suspicion_rows(summary.gating), note)
        note = f"“suspects”: those of a suspicion of {summary.gating.threshold:g} or more, the look at them included."
        yield Section("With and without a gate", gate_rows(summary.gating), note)
    if summary.comparison:
        alone = f"{summary.comparison.unpaired} records have no partner"
        note = f"McNemar's exact test; {alone}. Several attacks on one image are taken for independent."
        yield Section("Beside the other records", comparison_rows(summary.comparison), note)
    yield Section(
        "Where the fits ended",
        stop_rows(groups, summary.by),
        "Iterations. The step by which 95 % had ended is a fixed step that is enough for most.",
    )
    yield Section(
        "Errors by top-5",
        error_rows(summary.courses),
        "Over-fit: wrong at the end, and right at an earlier "
        "look. Under-fit: never right. Best step: where most fits are right.",
    )
    yield Section(
        "Published by the Deep Protection paper",
        _published(summary),
        "Another network (resnet18) and other images: 73 that it gets right, attacked in eight ways.",
        texts=True,
    )


def _matrix(summary: Summary) -> Rows:
    """A row a method, a column an attack."""
    attacks = list(dict.fromkeys(attack for _, attack in summary.cells))
    empty = Group("")
    return [
        ["method", *attacks],
        *(
            [name, *(percent(summary.cells.get((name, attack), empty).rate("after_top1")) for attack in attacks)]
            for name in summary.methods
        ),
    ]


def _published(summary: Summary) -> Rows:
    """The paper's figures, and those of the same kind that there are here."""
    rows = [["figure", "published", "here"]]
    for figure in PAPER:
        here = [
            f"{method}: {percent(pair[0 if figure.clean else 1].rate(f'after_top{figure.top}'))}"
            for method, pair in summary.methods.items()
            if pair[0 if figure.clean else 1].rate(f"after_top{figure.top}").n and figure.like(method)
        ]
        rows.append([figure.what, f"{figure.percent:g} (n = {figure.n})", "; ".join(here) or "-"])
    return rows


def _picture(drawing: Drawing) -> Picture:
    form, kind = ("png", "image/png") if drawing.photographs else ("svg", "image/svg+xml")
    data = io.BytesIO()
    render(drawing, data, form)
    return Picture(drawing.name, drawing.caption, kind, base64.b64encode(data.getvalue()).decode("ascii"))
