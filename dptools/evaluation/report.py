"""Write a summary as one self-contained HTML file."""

import base64
import io
from collections.abc import Iterable
from importlib.resources import files

from jinja2 import Environment

from dptools.evaluation.gallery import Drawing, render
from dptools.evaluation.report_facts import facts, lead, title
from dptools.evaluation.report_sections import sections
from dptools.evaluation.summary import Summary


def report(summary: Summary, drawings: Iterable[Drawing], *, published: bool = True) -> str:
    """Return a summary and its figures as an HTML page, with results of the literature if ``published`` is true."""
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


def _picture(drawing: Drawing) -> dict[str, str]:
    """Return a figure as the template embeds it: its texts, and its file in Base64."""
    file_format, media_type = ("png", "image/png") if drawing.photographs else ("svg", "image/svg+xml")
    data = io.BytesIO()
    render(drawing, data, file_format, outlines=True)
    alt = f"{drawing.caption}. {drawing.alt or 'The tables above contain the numbers'}."
    encoded = base64.b64encode(data.getvalue()).decode("ascii")
    return {"name": drawing.name, "caption": drawing.caption, "alt": alt, "media_type": media_type, "data": encoded}
