"""Constants and functions that the figures share: size, colours, bars with intervals, and names on the x axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from dptools.evaluation.intervals import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#767676"
"""Colours that colour-blind readers can distinguish (Okabe and Ito 2008)."""

WIDTH = 5.2
"""Width of figures in inches. Text is legible on a phone at this size."""

MAX_TEXT = 48
"""Maximum number of characters of a text in a figure. Drawing a text of millions would take hours."""


def one_panel(quantity: str) -> "tuple[Figure, Axes]":
    """Return a figure with one panel whose y axis shows a quantity in per cent."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel(quantity, fontsize=9)
    axes.set_ylim(0, 102)
    style_axes(axes)
    return figure, axes


def bars(axes: "Axes", rates: Sequence[Rate], offset: float, width: float, colour: str, label: str) -> None:
    """Draw rates as bars in per cent with their intervals.

    Args:
        axes: Axes to draw on.
        rates: Rates of the groups at x = 0, 1 and so on; those with n = 0 get no bar.
        offset: Distance of the bars' centres from the groups' positions.
        width: Width of a bar.
        colour: Colour of the bars.
        label: Name in the legend.
    """
    positions = [position + offset for position, rate in enumerate(rates) if rate.n]
    counted = [rate for rate in rates if rate.n]
    if not counted:
        return
    heights = [100 * rate.k / rate.n for rate in counted]
    axes.bar(positions, heights, width, color=colour, label=label)
    axes.errorbar(
        positions, heights, yerr=error_lengths(counted), fmt="none", ecolor="#444444", elinewidth=0.8, capsize=2
    )


def error_lengths(rates: Sequence[Rate]) -> list[list[float]]:
    """Return how far the intervals reach below and above the rates, in per cent.

    Lengths are clipped at 0: matplotlib rejects negative ones, which rounding errors can cause.
    """
    shares = [(rate, rate.k / rate.n) for rate in rates]
    below = [100 * max(0.0, share - rate.low) for rate, share in shares]
    return [below, [100 * max(0.0, rate.high - share) for rate, share in shares]]


def legend(figure: Figure) -> None:
    """Add a legend above the axes, where it covers no data."""
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)


def literal(text: str) -> str:
    """Return a text that matplotlib shows literally: dollar signs start no formula. Long texts are shortened."""
    short = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return short.replace("$", r"\$")


def name_groups(axes: "Axes", names: Sequence[str]) -> None:
    """Label the positions 0, 1 and so on of the x axis; rotate long labels."""
    axes.set_xticks(range(len(names)), list(map(literal, names)), fontsize=8)
    if max(map(len, names), default=0) * len(names) > 50:
        axes.tick_params("x", rotation=30)
        for text in axes.get_xticklabels():
            text.set_horizontalalignment("right")


def style_axes(axes: "Axes") -> None:
    """Remove the upper and right spines and add a light horizontal grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
