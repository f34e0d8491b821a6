"""What the figures share: styles, colours, bars with intervals, and texts."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure

from dptools.evaluation.intervals import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, SKY, ORANGE, GREEN, RED, GREY = "#0072b2", "#56b4e9", "#e69f00", "#009e73", "#d55e00", "#767676"
"""Colours that colour-blind readers can distinguish (Okabe and Ito 2008).

The two series of a bar chart also differ in lightness, so that they differ in grey: blue and orange, blue and sky blue.
"""

OUTLINE: Mapping[str, Any] = {"edgecolor": "#333333", "linewidth": 0.6}
"""The outline of bars: light colours alone have too little contrast with white."""

MAX_TEXT = 48
"""Maximum number of characters of a text in a figure. Drawing a text of millions would take hours."""

_COMMON: Mapping[str, Any] = {
    "svg.fonttype": "none",  # text stays text, which can be searched and edited
    "pdf.fonttype": 42,
    "svg.hashsalt": "dptools",  # equal figures give equal files
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    # Six colours and five lines: the first 30 combinations differ.
    "axes.prop_cycle": cycler(color=5 * [BLUE, ORANGE, GREEN, RED, "#cc79a7", SKY])
    + cycler(linestyle=6 * ["-", "--", "-.", ":", (0, (5, 1))]),
}


def _font_sizes(size: int) -> dict[str, int]:
    texts = dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), size)
    return texts | dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), size - 1)


STYLES: Mapping[str, Mapping[str, Any]] = {
    "screen": {**_COMMON, **_font_sizes(9), "figure.figsize": (5.2, 3.0)},  # legible on a phone
    "paper": {
        **_COMMON,
        **_font_sizes(8),
        "figure.figsize": (3.35, 2.2),  # one column of a two-column page: 85 mm
        "font.family": "serif",
        # The first is part of matplotlib. A viewer of SVG takes one of the others, which are about as wide.
        "font.serif": ["STIXGeneral", "Times New Roman", "Liberation Serif", "Nimbus Roman", "Times"],
        "mathtext.fontset": "stix",
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.markersize": 4,
    },
}
"""Settings of matplotlib by the name of the style."""


_ERROR_BARS: Mapping[str, Any] = {"fmt": "none", "ecolor": "#333333", "elinewidth": 0.8, "capsize": 2}


def style_context(style: str, **changes: Any) -> AbstractContextManager[None]:
    """Return a context in which matplotlib has the settings of a style, one of the keys of STYLES, and some others."""
    settings: Any = {**STYLES[style], **changes}
    return matplotlib.rc_context(settings)


@dataclass(frozen=True)
class Bars:
    """One series of a bar chart, with a rate for each group; those with n = 0 get no bar."""

    label: str
    colour: str
    rates: Sequence[Rate]


def new_figure(height: float) -> Figure:
    """Return an empty figure with the width of the style.

    Args:
        height: Height in inches at the width of the style ``screen``.
    """
    width: float = matplotlib.rcParams["figure.figsize"][0]
    return Figure(figsize=(width, height * width / STYLES["screen"]["figure.figsize"][0]))


def one_panel(quantity: str) -> "tuple[Figure, Axes]":
    """Return a figure with one panel whose y axis shows a quantity in per cent."""
    figure = Figure(figsize=matplotlib.rcParams["figure.figsize"])
    axes = figure.subplots()
    axes.set_ylabel(quantity)
    axes.set_ylim(0, 102)
    axes.grid(axis="y")
    return figure, axes


def bar_chart(quantity: str, names: Sequence[str], series: Sequence[Bars]) -> "tuple[Figure, Axes]":
    """Return horizontal bars in per cent with their intervals: a row for each group, from the top.

    The bars of a group are centred on its name, also if a rate is missing. The legend has the order of the series.
    """
    width, height = matplotlib.rcParams["figure.figsize"]
    shown = [each for each in series if any(rate.n for rate in each.rates)]
    thickness = 0.8 / max(1, len(shown))
    figure = Figure(figsize=(width, 0.25 * height + 0.031 * width * (len(shown) + 0.6) * len(names)))
    axes = figure.subplots()
    positions = _positions([[rate.n > 0 for rate in each.rates] for each in shown], thickness)
    for each, places in zip(shown, positions, strict=True):
        rates = [rate for rate in each.rates if rate.n]
        lengths = [100 * rate.k / rate.n for rate in rates]
        axes.barh(places, lengths, 0.94 * thickness, color=each.colour, label=each.label, **OUTLINE)
        axes.errorbar(lengths, places, xerr=error_lengths(rates), **_ERROR_BARS)
    axes.set_xlabel(quantity)
    axes.set_xlim(0, 102)
    axes.grid(axis="x")
    axes.tick_params("y", length=0)
    axes.set_yticks(range(len(names)), list(map(literal, names)))
    axes.set_ylim(len(names) - 0.4, -0.6)
    if len(shown) > 1:
        legend(figure)
    return figure, axes


def _positions(has_bar: Sequence[Sequence[bool]], thickness: float) -> list[list[float]]:
    """Return the positions of the bars of each series, given for each of its groups whether it has a bar."""
    positions: list[list[float]] = [[] for _ in has_bar]
    for group, present in enumerate(zip(*has_bar, strict=True)):
        start = group - thickness * (sum(present) - 1) / 2
        for number, index in enumerate(index for index, is_present in enumerate(present) if is_present):
            positions[index].append(start + thickness * number)
    return positions


def error_lengths(rates: Sequence[Rate]) -> list[list[float]]:
    """Return how far the intervals reach below and above the rates, in per cent.

    Lengths are clipped at 0: matplotlib rejects negative ones, which rounding errors can cause.
    """
    shares = [(rate, rate.k / rate.n) for rate in rates]
    below = [100 * max(0.0, share - rate.low) for rate, share in shares]
    return [below, [100 * max(0.0, rate.high - share) for rate, share in shares]]


def legend(figure: Figure) -> None:
    """Add a legend above the axes, where it covers no data."""
    figure.legend(loc="outside upper right", ncols=3)


def literal(text: str) -> str:
    """Return a text that matplotlib shows literally: dollar signs start no formula. Long texts are shortened."""
    short = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return short.replace("$", r"\$")
