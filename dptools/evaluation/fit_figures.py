"""Figures about fits of the deep image prior: where they stopped, and how accuracy depends on their length."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from dptools.evaluation.intervals import Rate
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group
from dptools.evaluation.plotting import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    WIDTH,
    bars,
    legend,
    literal,
    name_groups,
    one_panel,
    style_axes,
)
from dptools.evaluation.stops import BIN_WIDTH


def termination(groups: Sequence[Group]) -> Figure:
    """Draw a histogram for each group of the iterations at which fits stopped (the paper's figure 2)."""
    rows = -(-len(groups) // 2)
    figure = Figure(figsize=(WIDTH, 0.6 + 1.4 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, sharex=True, squeeze=False).flat
    for axes, group in zip(panels, groups, strict=False):
        bins = group.stops.histogram
        centres = [step - BIN_WIDTH / 2 for step in bins]
        axes.bar(centres, list(bins.values()), width=BIN_WIDTH, color=BLUE, edgecolor="white")
        unfinished = f", {group.stops.unfinished} not stopped" if group.stops.unfinished else ""
        axes.set_title(f"{literal(group.name)}: {group.stops.n} fits{unfinished}", fontsize=9)
        axes.yaxis.get_major_locator().set_params(integer=True)
        style_axes(axes)
    for axes in list(figure.axes)[len(groups) :]:
        axes.remove()
    figure.supxlabel("iterations", fontsize=9)
    return figure


def errors(curves: Sequence[LearningCurve]) -> Figure:
    """Draw the rates of over-fits and under-fits of each attack (the paper's figure 5)."""
    figure, axes = one_panel("wrong at the last checkpoint, top-5, %")
    for offset, kind, colour in ((-0.2, "overfit", RED), (0.2, "underfit", GREY)):
        rates = [Rate(getattr(curve, kind), curve.n) for curve in curves]
        bars(axes, rates, offset, 0.38, colour, kind.replace("fit", "-fit"))
    name_groups(axes, [curve.name for curve in curves])
    legend(figure)
    return figure


def accuracy_by_iteration(curve: LearningCurve) -> Figure:
    """Draw top-1 and top-5 accuracy against iterations, at the checkpoints that all fits reached."""
    figure, axes = one_panel("accuracy, %")
    steps = curve.common_steps
    for label, correct, colour in (("top-1", curve.top1, BLUE), ("top-5", curve.top5, ORANGE)):
        axes.plot(steps, [100 * correct[step] / curve.n for step in steps], color=colour, label=label)
    if curve.best:
        axes.axvline(curve.best, color=GREY, linestyle=":", label=f"best: {curve.best}")
    axes.set_xlabel("iterations", fontsize=9)
    legend(figure)
    return figure
