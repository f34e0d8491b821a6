"""What all figures share: their size, their colours, and how bars and names are drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from dptools.evaluation.metrics import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#767676"
"""Told apart by those who do not see all colours (Okabe and Ito 2008)."""

WIDTH = 5.2
"""Inches: what a phone shows is read at this size."""

LONGEST = 48
"""Characters of a text in a figure; one of millions would take hours."""


def one_panel(quantity: str = "right, %") -> "tuple[Figure, Axes]":
    """A figure whose upright axis is a share in per cent."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel(quantity, fontsize=9)
    axes.set_ylim(0, 102)
    bare(axes)
    return figure, axes


def bars(axes: "Axes", rates: Sequence[Rate], offset: float, width: float, colour: str, label: str) -> None:
    """Bars with their intervals, in per cent; none where nothing was counted."""
    counted = [(place + offset, rate) for place, rate in enumerate(rates) if rate.n]
    if not counted:
        return
    places, found = [place for place, _ in counted], [rate for _, rate in counted]
    heights = [100 * rate.k / rate.n for rate in found]
    axes.bar(places, heights, width, color=colour, label=label)
    axes.errorbar(places, heights, yerr=spread(found), fmt="none", ecolor="#444444", elinewidth=0.8, capsize=2)


def spread(rates: Sequence[Rate]) -> list[list[float]]:
    """How far the intervals reach below and above, in per cent; never less than not at all, whatever rounding says."""
    shares = [(rate, rate.k / rate.n) for rate in rates]
    below = [100 * max(0.0, share - rate.low) for rate, share in shares]
    return [below, [100 * max(0.0, rate.high - share) for rate, share in shares]]


def legend(figure: Figure) -> None:
    """Beside the axes, so that it hides nothing."""
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)


def literal(text: str) -> str:
    """A text as figures take it: one with a dollar in it is no formula, and a long one is cut."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return short.replace("$", r"\$")


def name_places(axes: "Axes", names: Sequence[str]) -> None:
    """What stands at 0, 1 and so on; turned where there is no room."""
    axes.set_xticks(range(len(names)), list(map(literal, names)), fontsize=8)
    if max(map(len, names), default=0) * len(names) > 50:
        axes.tick_params("x", rotation=30)
        for text in axes.get_xticklabels():
            text.set_horizontalalignment("right")


def bare(axes: "Axes") -> None:
    """No more lines than help to read it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
