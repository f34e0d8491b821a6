"""Figures of images: a row per sample with the clean, attacked and purified image, and maps with their masks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dptools.evaluation.class_names import class_names, describe_class, top_classes
from dptools.evaluation.keys import Record, attack_name
from dptools.evaluation.plotting import literal, new_figure
from dptools.texts import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]
"""An image, H x W x 3."""

ReadImage = Callable[[str], Pixels | None]
"""Return the pixels of an image file; None if it cannot be read."""

MAX_SIDE = 1000
"""Maximum length in pixels of an image's longer side in a figure."""

AMPLIFICATION = 10
"""The factor by which perturbations are amplified in figures."""

RESIZE, CROP = 256, 224
"""The usual preprocessing of classifiers: resize the shorter side to 256 pixels, then crop the central 224 x 224."""


@dataclass(frozen=True)
class Panel:
    """One image, or None if it is not available, with a line of text above it and one below."""

    title: str
    pixels: Pixels | None
    caption: str


def image_row(record: Record, before: Record | None, read_image: ReadImage) -> list[Panel]:
    """Return four panels for one sample: clean image, attacked image, their difference, purified image.

    The first record is that after purification and classification, the second that before; None if unknown.
    """
    attack = record.get("attack", {})
    names = class_names(attack, record, before)
    purified = read_image(str(record["path"]))
    attacked = read_image(str(before["path"])) if before and "path" in before else None
    reference = attacked if attacked is not None else purified
    clean = None if reference is None else _crop_like(read_image(str(record.get("source", ""))), reference)
    true_label = attack.get("clean_label", record.get("label"))
    adversarial = describe_class(names, attack.get("adversarial_label"), attack.get("adversarial_p"))
    predictions = (f"{name}  {100 * p:.0f} %" for name, p in top_classes(record))
    return [
        Panel("clean", clean, describe_class(names, true_label, attack.get("clean_p"))),
        Panel(attack_name(record), attacked, adversarial),
        Panel(f"difference × {AMPLIFICATION}", _difference(clean, attacked, attack.get("norms", {})), _norms(attack)),
        Panel("purified", purified, next(predictions, "")),
    ]


def draw_rows(rows: Sequence[Sequence[Panel]]) -> Figure:
    """Draw a row of panels for each sample."""
    figure = new_figure(1.6 * len(rows))
    grid = figure.subplots(len(rows), 4, squeeze=False)
    for row, panels in zip(grid, rows, strict=True):
        for axes, panel in zip(row, panels, strict=True):
            _draw(axes, panel)
    return figure


def draw_maps(maps: Sequence[tuple[str, Pixels, Pixels]]) -> Figure:
    """Draw maps beside their text masks (the paper's figure 8), given the mask method, the map and the mask of each."""
    figure = new_figure(2.6 * len(maps))
    grid = figure.subplots(len(maps), 2, squeeze=False)
    for (left, right), (method, image, mask) in zip(grid, maps, strict=True):
        _draw(left, Panel("map", image, ""))
        _draw(right, Panel(printable(f"text mask by {method}"), mask, ""))
    return figure


def _draw(axes: "Axes", panel: Panel) -> None:
    axes.set_axis_off()
    axes.set_title(literal(panel.title), fontsize="small")
    if panel.pixels is None:
        axes.text(0.5, 0.5, "not available", ha="center", va="center", fontsize="small", transform=axes.transAxes)
    else:
        axes.imshow(_shrink(panel.pixels), interpolation="nearest")
    axes.text(0.5, -0.03, literal(panel.caption), ha="center", va="top", fontsize="x-small", transform=axes.transAxes)


def _shrink(pixels: Pixels) -> Pixels:
    from PIL import Image

    if max(pixels.shape) <= MAX_SIDE:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(image)


def _crop_like(pixels: Pixels | None, reference: Pixels) -> Pixels | None:
    """Return an image resized and cropped like most classifiers do, to the size of another; None if it is too large."""
    from PIL import Image

    height, width = reference.shape[:2]
    if pixels is None or pixels.shape[:2] == (height, width):
        return pixels
    short_side, scale_to = min(pixels.shape[:2]), max(height, width) * RESIZE // CROP
    size = scale_to * pixels.shape[1] // short_side, scale_to * pixels.shape[0] // short_side
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    if max(size) > MAX_SIDE * 8:
        return None
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + width, top + height)))


def _difference(clean: Pixels | None, attacked: Pixels | None, norms: Mapping[str, Any]) -> Pixels | None:
    """Return the amplified perturbation on grey.

    If the largest value contradicts the recorded norm, return None. The clean image was then preprocessed in another
    way, and the difference would show more than the perturbation.
    """
    if clean is None or attacked is None or clean.shape != attacked.shape:
        return None
    difference = attacked.astype(int) - clean
    linf = norms.get("linf_255")
    if linf is not None and abs(float(np.abs(difference).max()) - linf) > 1:
        return None
    return (128 + AMPLIFICATION * difference).clip(0, 255).astype(np.uint8)


def _norms(attack: Mapping[str, Any]) -> str:
    norms = attack.get("norms", {})
    l2, linf = norms.get("l2"), norms.get("linf_255")
    return "" if l2 is None or linf is None else f"L2 {l2:.3g}, at most {linf:g}/255"
