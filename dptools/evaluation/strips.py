"""Images of one sample side by side: clean, attacked, what was added, restored; and what the classifier saw in each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dptools.evaluation.keys import Record, by_attack
from dptools.evaluation.plotting import WIDTH, literal
from dptools.texts import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]

Open = Callable[[str], Pixels | None]
"""The pixels of an image file, H x W x 3; None if it cannot be read."""

SHOWN = 1000
"""Pixels of the longer side of an image in a figure, at the most."""

TIMES = 10
"""A perturbation is shown so many times as strong, on grey."""

RESIZE, CROP = 256, 224
"""Classifiers see the middle of an image whose shorter side is that much longer."""

MOST_CLASSES = 10
"""A figure has no room for more."""


@dataclass(frozen=True)
class Panel:
    """One image and the line below it."""

    title: str
    pixels: Pixels | None
    caption: str


def strip(record: Record, before: Record | None, open_image: Open) -> list[Panel]:
    """The panels of a sample.

    Args:
        record: after restoration and classification.
        before: the same sample before; None where it is not known.
        open_image: reads a file.
    """
    attack = record.get("attack", {})
    names = _names(attack, record, before)
    restored = open_image(str(record["path"]))
    attacked = open_image(str(before["path"])) if before and "path" in before else None
    seen = attacked if attacked is not None else restored
    clean = None if seen is None else _cut(open_image(str(record.get("source", ""))), seen.shape[0], seen.shape[1])
    said = (f"{name}  {100 * p:.0f} %" for name, p in classes(record))
    return [
        Panel("clean", clean, _say(names, attack.get("clean_label", record.get("label")), attack.get("clean_p"))),
        Panel(by_attack(record), attacked, _say(names, attack.get("adversarial_label"), attack.get("adversarial_p"))),
        Panel(f"difference × {TIMES}", _difference(clean, attacked, attack.get("norms", {})), _size(attack)),
        Panel("restored", restored, next(said, "")),
    ]


def strips(rows: Sequence[Sequence[Panel]]) -> Figure:
    """A row a sample."""
    figure = Figure(figsize=(WIDTH, 1.6 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 4, squeeze=False)
    for line, panels in zip(grid, rows, strict=True):
        for axes, panel in zip(line, panels, strict=True):
            _draw(axes, panel)
    return figure


def maps(rows: Sequence[tuple[str, Pixels, Pixels]]) -> Figure:
    """Maps beside their text masks (the paper's figure 8), each by a rule that is named."""
    figure = Figure(figsize=(WIDTH, 2.6 * len(rows)), layout="constrained")
    for line, (rule, image, mask) in zip(figure.subplots(len(rows), 2, squeeze=False), rows, strict=True):
        for axes, panel in zip(
            line, (Panel("map", image, ""), Panel(printable(f"text, by the rule {rule}"), mask, "")), strict=True
        ):
            _draw(axes, panel)
    return figure


def classes(record: Record) -> list[tuple[str, float]]:
    """The most probable classes of a record, and their probabilities."""
    top = record.get("classify", {}).get("top") or []
    return [(_short(entry), entry.get("p") or 0.0) for entry in top[:MOST_CLASSES]]


def label_name(record: Record, before: Record | None) -> str:
    """The true class, by the name that a classifier gave it here; empty if it never came up."""
    label = record.get("label")
    tops = [entry for each in (record, before) if each for entry in each.get("classify", {}).get("top") or []]
    known = (entry for entry in tops if label in (entry.get("index"), entry.get("wnid"), entry.get("name")))
    return next(map(_short, known), "") if label is not None else ""


def _draw(axes: "Axes", panel: Panel) -> None:
    axes.set_axis_off()
    axes.set_title(literal(panel.title), fontsize=7)
    if panel.pixels is None:
        axes.text(0.5, 0.5, "not at hand", ha="center", va="center", fontsize=8, transform=axes.transAxes)
    else:
        axes.imshow(_small(panel.pixels), interpolation="nearest")
    axes.text(0.5, -0.03, literal(panel.caption), ha="center", va="top", fontsize=6, transform=axes.transAxes)


def _small(pixels: Pixels) -> Pixels:
    """An image with no more pixels than a figure shows."""
    from PIL import Image

    if max(pixels.shape) <= SHOWN:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((SHOWN, SHOWN))
    return np.asarray(image)


def _cut(pixels: Pixels | None, height: int, width: int) -> Pixels | None:
    """An image as the classifier saw it, most likely."""
    from PIL import Image

    if pixels is None or pixels.shape[:2] == (height, width):
        return pixels
    side, short = max(height, width) * RESIZE // CROP, min(pixels.shape[:2])
    size = side * pixels.shape[1] // short, side * pixels.shape[0] // short
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    if max(size) > SHOWN * 8:
        return None
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + width, top + height)))


def _difference(clean: Pixels | None, attacked: Pixels | None, norms: Mapping[str, Any]) -> Pixels | None:
    """What was added, on grey; None where the clean image was cut in another way, so that this would be something
    else."""
    if clean is None or attacked is None or clean.shape != attacked.shape:
        return None
    change = attacked.astype(int) - clean
    known = norms.get("linf_255")
    if known is not None and abs(float(np.abs(change).max()) - known) > 1:
        return None
    return (128 + TIMES * change).clip(0, 255).astype(np.uint8)


def _names(attack: Mapping[str, Any], *records: Record | None) -> dict[Any, str]:
    """Those of classes, by index: that dp-attack told, and that stand among the most probable."""
    tops = [entry for record in records if record for entry in record.get("classify", {}).get("top") or []]
    seen = [
        {"index": attack.get(f"{kind}_label"), "name": attack.get(f"{kind}_name")} for kind in ("clean", "adversarial")
    ]
    named = [entry for entry in [*tops, *seen] if entry.get("index") is not None and entry.get("name")]
    return {entry["index"]: _short(entry) for entry in named}


def _short(entry: Mapping[str, Any]) -> str:
    return printable(str(entry.get("name") or f"class {entry.get('index')}").split(",")[0])


def _say(names: Mapping[Any, str], index: Any, p: float | None) -> str:
    if index is None:
        return ""
    return names.get(index, printable(f"class {index}")) + ("" if p is None else f"  {100 * p:.0f} %")


def _size(attack: Mapping[str, Any]) -> str:
    norms = attack.get("norms", {})
    l2, largest = norms.get("l2"), norms.get("linf_255")
    return "" if l2 is None or largest is None else f"L2 {l2:.3g}, at most {largest:g}/255"
