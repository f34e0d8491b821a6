"""Write a summary as one self-contained HTML file."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment

from dptools.evaluation.gallery import Drawing, render
from dptools.evaluation.report_facts import facts, lead, title
from dptools.evaluation.report_sections import sections
from dptools.evaluation.summary import Summary


@dataclass(frozen=True)
class Picture:
    """A figure as it is embedded in the HTML.

    Attributes:
        name: The figure's name.
        caption: What it shows.
        alt: A text with the same content, for readers who do not see it.
        media_type: ``image/png`` or ``image/svg+xml``.
        data: The file, encoded as Base64.
    """

    name: str
    caption: str
    alt: str
    media_type: str
    data: str


def report(summary: Summary, drawings: Iterable[Drawing], *, published: bool = True) -> str:
    """Return a summary and its figures as an HTML page.

    Args:
        summary: The summary.
        drawings: The figures.
        published: Whether to show results of the literature.
    """
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("dptools.evaluation").joinpath("report.html").read_text("utf-8")
    )
    return template.render(
        title=title(summary),
        lead=lead(summary),
        facts=facts(summary),
        sections=[section for section in sections(summary, published=published) if len(section.rows) > 1],
        pictures=[_picture(drawing) for drawing in drawings],
        provenance=[(kind, ", ".join(sorted(values))) for kind, values in sorted(summary.provenance.items())],
    )


def _picture(drawing: Drawing) -> Picture:
    file_format, media_type = ("png", "image/png") if drawing.photographs else ("svg", "image/svg+xml")
    data = io.BytesIO()
    render(drawing, data, file_format, outlines=True)
    return Picture(
        drawing.name, drawing.caption, _alt(drawing), media_type, base64.b64encode(data.getvalue()).decode("ascii")
    )


def _alt(drawing: Drawing) -> str:
    return f"{drawing.caption}. {drawing.alt or 'The tables above contain the numbers'}."
