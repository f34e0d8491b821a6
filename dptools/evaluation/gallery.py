"""Choose the figures that a summary has data for."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from matplotlib.figure import Figure

from dptools.evaluation import figures, fit_figures
from dptools.evaluation.class_names import top_classes, true_class
from dptools.evaluation.figure_options import FigureOptions
from dptools.evaluation.formatting import or_dash, percent
from dptools.evaluation.image_rows import Panel, ReadImage, draw_maps, draw_rows, image_row
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import Record, pairing_id
from dptools.evaluation.metrics import Group
from dptools.evaluation.plotting import style_context
from dptools.evaluation.summary import Summary
from dptools.texts import printable

MAX_GROUPS = 24
"""Maximum number of groups in one figure. Hundreds would exceed the number of pixels that can be drawn."""

DEFAULT_OPTIONS = FigureOptions()

T = TypeVar("T")


@dataclass(frozen=True)
class Drawing:
    """A figure with its name and caption.

    Attributes:
        name: The name of its file, without extension.
        caption: What it shows.
        figure: The figure.
        alt: Its numbers as text, for readers who do not see it; empty if a table contains them.
        photographs: Whether it contains photographs, which are better stored as PNG than as SVG.
        style: The style, which also chooses the font when the figure is written.
    """

    name: str
    caption: str
    figure: Figure
    alt: str = ""
    photographs: bool = False
    style: str = "screen"


def gallery(summary: Summary, read_image: ReadImage, options: FigureOptions = DEFAULT_OPTIONS) -> list[Drawing]:
    """Return the figures of a summary, the most important first."""
    with style_context(options.style):
        drawings = _drawings(summary, read_image, options.published)
        return [replace(drawing, style=options.style) for drawing in drawings]


def _drawings(summary: Summary, read_image: ReadImage, published: bool) -> Iterator[Drawing]:
    groups = [group for group in summary.all_groups if group.rate("after_top1").n]
    if groups and "method" not in summary.by:
        caption = "Accuracy after purification, with 95 % intervals"
        yield _limited("accuracy", caption, groups, figures.accuracy)
    if summary.certificates:
        others = ", and published results for other classifiers and other images" if published else ""
        figure = figures.certified(summary.certificates.named(), published)
        yield Drawing("certified", f"Certified accuracy by L2 radius{others}", figure)
    yield from _robustness_figures(summary)
    yield from _method_figures(summary, published)
    if curves := summary.gate.curves:
        caption = "ROC curves of attack detection: suspect attacked images against suspect clean images"
        yield _limited("roc", caption, list(curves.items()), lambda shown: figures.roc(dict(shown)))
    yield from _fit_figures(summary)
    yield from _image_figures(summary, read_image)


def render(drawing: Drawing, stream: Any, file_format: str, *, outlines: bool = False) -> None:
    """Write a figure to a binary stream, in one of :data:`dptools.evaluation.figure_options.FORMATS`.

    With ``outlines``, texts in SVG become outlines, which look the same where the font is missing.
    """
    fonts = {"svg.fonttype": "path"} if outlines else {}
    with style_context(drawing.style, **fonts), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a character that the font lacks is drawn as a box
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(file_format)
        drawing.figure.savefig(stream, format=file_format, dpi=200, metadata=metadata)


def _limited(name: str, caption: str, groups: Sequence[T], draw: Callable[[Sequence[T]], Figure]) -> Drawing:
    """Draw at most MAX_GROUPS groups: the first ones, and the last, which is the total if there is one."""
    if len(groups) > MAX_GROUPS:
        caption += f"; {MAX_GROUPS} of {len(groups)}"
        groups = [*groups[: MAX_GROUPS - 1], groups[-1]]
    return Drawing(name, caption, draw(groups))


def _method_figures(summary: Summary, published: bool) -> Iterator[Drawing]:
    methods = {name: pair for name, pair in summary.methods.items() if any(map(_has_accuracy, pair))}
    if len(methods) > 1 or any(all(map(_has_accuracy, pair)) for pair in methods.values()):
        caption = "Top-1 accuracy on clean and attacked images by method"
        caption += ", and the results of the Deep Protection paper (hatched)" if published else ""
        yield _limited("methods", caption, list(methods.items()), lambda shown: figures.methods(dict(shown), published))
    if sum(attacked.median_seconds is not None for _, attacked in methods.values()) > 1:
        caption = "Top-1 accuracy on attacked images and time per image, by method"
        drawing = _limited("speed", caption, list(methods.items()), lambda shown: figures.speed(dict(shown)))
        yield replace(drawing, alt="; ".join(_speed(name, attacked) for name, (_, attacked) in methods.items()))


def _robustness_figures(summary: Summary) -> Iterator[Drawing]:
    for quantity in ("epsilon", "steps"):
        if curves := summary.robustness.curves(quantity):
            caption = f"Robust accuracy by {quantity}, with 95 % intervals; each image is judged by most draws"
            yield Drawing(f"robust-{quantity}", caption, figures.robustness(curves, quantity))


def _speed(name: str, attacked: Group) -> str:
    seconds = or_dash(attacked.median_seconds, ".2g")
    return f"{name}: {percent(attacked.rate('after_top1'))} %, {seconds} s an image"


def _has_accuracy(group: Group) -> bool:
    return group.rate("after_top1").n > 0


def _fit_figures(summary: Summary) -> Iterator[Drawing]:
    groups = [group for group in summary.all_groups if group.stops.adaptive]
    if groups:
        caption = "Iterations after which the stopping criterion ended the fits of the deep image prior"
        yield _limited("termination", caption, groups, fit_figures.termination)
    if summary.curves:
        caption = "Over-fits (correct at an earlier checkpoint only) and under-fits (never correct), top-5"
        yield _limited("errors", caption, summary.curves, fit_figures.errors)
    if summary.curves and (steps := summary.curves[-1].common_steps):
        caption = "Accuracy by the number of iterations of the deep image prior"
        curve, last = summary.curves[-1], steps[-1]
        alt = f"Top-5 accuracy after {last} iterations: {percent(Rate(curve.top5[last], curve.n))} %"
        yield Drawing("course", caption, fit_figures.accuracy_by_iteration(curve), alt)


def _image_figures(summary: Summary, read_image: ReadImage) -> Iterator[Drawing]:
    pairs = [(record, summary.attacked.get(pairing_id(record))) for record in summary.examples.values()]
    yield from _probabilities(pairs)
    rows = [image_row(record, before, read_image) for record, before in pairs]
    if any(panel.pixels is not None for row in rows for panel in row):
        caption = "One image for each attack, with the most probable class below"
        alt = "; ".join(", ".join(_panel(panel) for panel in row) for row in rows)
        yield Drawing("images", caption, draw_rows(rows), alt, photographs=True)
    maps = [
        (str(record["mapsext"].get("rule", "")), image, mask)
        for record in summary.maps
        if (image := read_image(str(record.get("source")))) is not None
        and (mask := read_image(str(record.get("path")))) is not None
    ]
    if maps:
        alt = "Each map is on the left, its mask on the right"
        yield Drawing("maps", "Maps and their text masks", draw_maps(maps), alt, photographs=True)


def _panel(panel: Panel) -> str:
    return f"{panel.title}: {panel.caption or 'no class'}" if panel.pixels is not None else f"{panel.title}: no image"


def _probabilities(pairs: Sequence[tuple[Record, Record | None]]) -> Iterator[Drawing]:
    """Yield the figure of the first example whose classes are known before and after purification."""
    for record, before in pairs:
        if before and top_classes(before) and top_classes(record):
            label = true_class(record, before)
            caption = f"Classes of the image {printable(str(record['id']))} before and after purification"
            caption += "; the true class is green and hatched" if label else ""
            figure = figures.probabilities(top_classes(before), top_classes(record), label)
            alt = "; ".join(f"{name}: {_classes(each)}" for name, each in (("before", before), ("after", record)))
            yield Drawing("probabilities", caption, figure, alt)
            return


def _classes(record: Record) -> str:
    return ", ".join(f"{name} {100 * p:.0f} %" for name, p in top_classes(record))
