"""Write a summary as one self-contained HTML file."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment

from dptools.evaluation.formatting import percent
from dptools.evaluation.gallery import Drawing, render
from dptools.evaluation.keys import NONE, uses_true_label
from dptools.evaluation.report_sections import sections
from dptools.evaluation.summary import Summary

TITLE = "Purification of adversarial images"


@dataclass(frozen=True)
class Picture:
    """A figure as it is embedded in the HTML.

    Attributes:
        name: The figure's name.
        caption: What it shows.
        media_type: ``image/png`` or ``image/svg+xml``.
        data: The file, encoded as Base64.
    """

    name: str
    caption: str
    media_type: str
    data: str


def report(summary: Summary, drawings: Iterable[Drawing]) -> str:
    """Return a summary and its figures as an HTML page."""
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("dptools.evaluation").joinpath("report.html").read_text("utf-8")
    )
    return template.render(
        title=TITLE,
        lead=_lead(summary),
        sections=[section for section in sections(summary) if len(section.rows) > 1],
        pictures=[_picture(drawing) for drawing in drawings],
        provenance=[(kind, ", ".join(sorted(values))) for kind, values in sorted(summary.provenance.items())],
    )


def _lead(summary: Summary) -> str:
    """Return the main result: the method whose interval on attacked images has the highest lower bound.

    Methods that use the true label are left out, because they are no defence.
    """
    methods = {
        name: pair
        for name, pair in summary.methods.items()
        if name != NONE and not uses_true_label(name) and pair[1].rate("after_top1").n
    }
    if not methods:
        return "No accuracy on attacked images: none was both purified and classified with a known label."
    name, (clean, attacked) = max(methods.items(), key=lambda item: item[1][1].rate("after_top1").low)
    after, before = attacked.rate("after_top1"), attacked.rate("before_top1")
    parts = [f"{percent(after)} % top-1 accuracy on {after.n} attacked images"]
    parts += [f"{percent(attacked.rate('after_top5'))} % top-5"]
    parts += [f"{percent(before)} % top-1 before purification"] if before.n else []
    if (on_clean := clean.rate("after_top1")).n:
        parts.append(f"{percent(on_clean)} % top-1 on {on_clean.n} clean images")
    start = f"Of {len(methods)} methods, {name} is the most accurate" if len(methods) > 1 else f"Purified by {name}"
    return f"{start}: {', '.join(parts)}."


def _picture(drawing: Drawing) -> Picture:
    file_format, media_type = ("png", "image/png") if drawing.photographs else ("svg", "image/svg+xml")
    data = io.BytesIO()
    render(drawing, data, file_format)
    return Picture(drawing.name, drawing.caption, media_type, base64.b64encode(data.getvalue()).decode("ascii"))
