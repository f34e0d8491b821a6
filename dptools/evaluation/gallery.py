"""Which figures a summary has something for."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import matplotlib
from matplotlib.figure import Figure

from dptools.evaluation import figures
from dptools.evaluation.strips import Open, classes, label_name, maps, strip, strips
from dptools.evaluation.summary import Summary
from dptools.texts import printable

STYLE: Any = {"svg.hashsalt": "dptools"}
"""Equal figures are equal files."""

MOST = 24
"""Groups in one figure; more have no room, and hundreds would be more pixels than can be drawn."""

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Drawing:
    """A figure with a name for its file, and what is to be seen in it."""

    name: str
    caption: str
    figure: Figure
    photographs: bool = False


def gallery(summary: Summary, open_image: Open) -> Iterator[Drawing]:
    """The figures, the most telling first.

    Args:
        open_image: reads an image file; None if it cannot.
    """
    groups = [group for group in summary.all_groups if group.rate("after_top1").n]
    if groups and summary.by != "method":
        caption = "Images that are right after restoration, with 95 % intervals"
        yield _of_groups("accuracy", caption, groups, figures.accuracy)
    yield from _of_methods(summary)
    if curves := summary.gating.curves:
        caption = "Attacked images that are suspected, and clean ones"
        yield _of_groups("roc", caption, list(curves.items()), lambda shown: figures.roc(dict(shown)))
    stopped = [group for group in summary.all_groups if group.stops.ruled]
    if stopped:
        yield _of_groups("termination", "After how many iterations the rule ended a fit", stopped, figures.termination)
    if summary.courses:
        caption = "Fits that went on too long (right at an earlier look), and that were never right, by top-5"
        yield _of_groups("errors", caption, summary.courses, figures.errors)
        yield Drawing("course", "Images that are right, by the length of the fit", figures.course(summary.courses))
    yield from _of_images(summary, open_image)


def render(drawing: Drawing, stream: Any, form: str) -> None:
    """Write a figure in a form, ``png`` or ``svg``."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is drawn as a box
        drawing.figure.savefig(stream, format=form, dpi=200, metadata={"Date": None} if form == "svg" else None)


def _of_groups(name: str, caption: str, groups: Sequence[Kind], draw: Callable[[Sequence[Kind]], Figure]) -> Drawing:
    """A figure of the first groups, and of the last, which is all together where there is that."""
    if len(groups) > MOST:
        caption += f"; {MOST} of {len(groups)}"
        groups = [*groups[: MOST - 1], groups[-1]]
    return Drawing(name, caption, draw(groups))


def _of_methods(summary: Summary) -> Iterator[Drawing]:
    found = {name: pair for name, pair in summary.methods.items() if any(group.rate("after_top1").n for group in pair)}
    if len(found) > 1 or any(
        clean.rate("after_top1").n and attacked.rate("after_top1").n for clean, attacked in found.values()
    ):
        caption = "Clean and attacked images by method, beside the paper's figures"
        yield _of_groups("methods", caption, list(found.items()), lambda shown: figures.methods(dict(shown)))
    if sum(attacked.median_seconds is not None for _, attacked in found.values()) > 1:
        caption = "What a method brings, and what it costs"
        yield _of_groups("speed", caption, list(found.items()), lambda shown: figures.speed(dict(shown)))


def _of_images(summary: Summary, open_image: Open) -> Iterator[Drawing]:
    pairs = [(record, summary.attacked.get(str(record["id"]))) for record in summary.examples.values()]
    for record, before in pairs:
        if before and classes(before) and classes(record):
            label = label_name(record, before)
            caption = f"The classes of one image, {printable(str(record['id']))}, before and after restoration"
            drawn = figures.probabilities(classes(before), classes(record), label)
            caption += "; green is the true one" if label else ""
            yield Drawing("probabilities", caption, drawn)
            break
    if pairs:
        rows = [strip(record, before, open_image) for record, before in pairs]
        caption = "An image of each attack, and what the classifier sees in it"
        yield Drawing("images", caption, strips(rows), photographs=True)
    shown = [
        (record["mapsext"].get("rule", ""), open_image(str(record.get("source"))), open_image(str(record.get("path"))))
        for record in summary.maps
    ]
    if whole := [(rule, image, mask) for rule, image, mask in shown if image is not None and mask is not None]:
        yield Drawing("maps", "Maps, and the text that was found in them", maps(whole), photographs=True)
