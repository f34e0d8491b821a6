"""Choose the figures that a summary has data for."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import matplotlib
from matplotlib.figure import Figure

from dptools.evaluation import figures, fit_figures
from dptools.evaluation.class_names import top_classes, true_class
from dptools.evaluation.image_rows import ReadImage, draw_maps, draw_rows, image_row
from dptools.evaluation.keys import Record, pairing_id
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import Summary
from dptools.texts import printable

STYLE: Any = {"svg.hashsalt": "dptools"}
"""A fixed salt makes the SVG files of equal figures equal."""

MAX_GROUPS = 24
"""Maximum number of groups in one figure. Hundreds would exceed the number of pixels that can be drawn."""

T = TypeVar("T")


@dataclass(frozen=True)
class Drawing:
    """A figure with its name and caption.

    Attributes:
        name: The name of its file, without extension.
        caption: What it shows.
        figure: The figure.
        photographs: Whether it contains photographs, which are better stored as PNG than as SVG.
    """

    name: str
    caption: str
    figure: Figure
    photographs: bool = False


def gallery(summary: Summary, read_image: ReadImage) -> Iterator[Drawing]:
    """Yield the figures of a summary, the most important first.

    Args:
        summary: The data.
        read_image: Returns the pixels of an image file; None if it cannot be read.
    """
    groups = [group for group in summary.all_groups if group.rate("after_top1").n]
    if groups and "method" not in summary.by:
        caption = "Accuracy after purification, with 95 % intervals"
        yield _limited("accuracy", caption, groups, figures.accuracy)
    if summary.certificates:
        caption = "Certified accuracy by L2 radius, and published results for other classifiers and other images"
        yield Drawing("certified", caption, figures.certified(list(summary.certificates.shown())))
    yield from _robustness_figures(summary)
    yield from _method_figures(summary)
    if curves := summary.gate.curves:
        caption = "ROC curves of attack detection: suspect attacked images against suspect clean images"
        yield _limited("roc", caption, list(curves.items()), lambda shown: figures.roc(dict(shown)))
    yield from _fit_figures(summary)
    yield from _image_figures(summary, read_image)


def render(drawing: Drawing, stream: Any, file_format: str) -> None:
    """Write a figure to a binary stream as ``png`` or ``svg``."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a character that the font lacks is drawn as a box
        metadata = {"Date": None} if file_format == "svg" else None
        drawing.figure.savefig(stream, format=file_format, dpi=200, metadata=metadata)


def _limited(name: str, caption: str, groups: Sequence[T], draw: Callable[[Sequence[T]], Figure]) -> Drawing:
    """Draw at most MAX_GROUPS groups: the first ones, and the last, which is the total if there is one."""
    if len(groups) > MAX_GROUPS:
        caption += f"; {MAX_GROUPS} of {len(groups)}"
        groups = [*groups[: MAX_GROUPS - 1], groups[-1]]
    return Drawing(name, caption, draw(groups))


def _method_figures(summary: Summary) -> Iterator[Drawing]:
    methods = {name: pair for name, pair in summary.methods.items() if any(map(_has_accuracy, pair))}
    if len(methods) > 1 or any(all(map(_has_accuracy, pair)) for pair in methods.values()):
        caption = "Top-1 accuracy on clean and attacked images by method, and the paper's results"
        yield _limited("methods", caption, list(methods.items()), lambda shown: figures.methods(dict(shown)))
    if sum(attacked.median_seconds is not None for _, attacked in methods.values()) > 1:
        caption = "Top-1 accuracy on attacked images and time per image, by method"
        yield _limited("speed", caption, list(methods.items()), lambda shown: figures.speed(dict(shown)))


def _robustness_figures(summary: Summary) -> Iterator[Drawing]:
    for quantity, label in (("epsilon", "epsilon"), ("steps", "steps")):
        if curves := summary.robustness.curves(quantity):
            caption = f"Robust accuracy by {label}, with 95 % intervals; each image is judged by most draws"
            yield Drawing(f"robust-{quantity}", caption, figures.robustness(curves, quantity))


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
        caption = "Accuracy by the number of iterations of the deep image prior"
        yield Drawing("course", caption, fit_figures.accuracy_by_iteration(summary.curves[-1]))


def _image_figures(summary: Summary, read_image: ReadImage) -> Iterator[Drawing]:
    pairs = [(record, summary.attacked.get(pairing_id(record))) for record in summary.examples.values()]
    yield from _probabilities(pairs)
    if pairs:
        rows = [image_row(record, before, read_image) for record, before in pairs]
        caption = "One image for each attack, with the most probable class below"
        yield Drawing("images", caption, draw_rows(rows), photographs=True)
    maps = [
        (str(record["mapsext"].get("rule", "")), image, mask)
        for record in summary.maps
        if (image := read_image(str(record.get("source")))) is not None
        and (mask := read_image(str(record.get("path")))) is not None
    ]
    if maps:
        yield Drawing("maps", "Maps and their text masks", draw_maps(maps), photographs=True)


def _probabilities(pairs: Sequence[tuple[Record, Record | None]]) -> Iterator[Drawing]:
    """Yield the figure of the first example whose classes are known before and after purification."""
    for record, before in pairs:
        if before and top_classes(before) and top_classes(record):
            label = true_class(record, before)
            caption = f"Classes of the image {printable(str(record['id']))} before and after purification"
            caption += "; the true class is green" if label else ""
            figure = figures.probabilities(top_classes(before), top_classes(record), label)
            yield Drawing("probabilities", caption, figure)
            return
