"""Figures about fits of the deep image prior: where they stopped, and how accuracy depends on their length."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from dptools.evaluation.intervals import Rate
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group
from dptools.evaluation.plotting import BLUE, GREY, ORANGE, RED, Bars, bar_chart, legend, literal, new_figure, one_panel
from dptools.evaluation.stops import BIN_WIDTH


def termination(groups: Sequence[Group]) -> Figure:
    """Draw a histogram for each group of the iterations at which fits stopped (the paper's figure 2)."""
    rows = -(-len(groups) // 2)
    figure = new_figure(0.6 + 1.4 * rows)
    panels = figure.subplots(rows, 2, sharex=True, squeeze=False).flat
    for axes, group in zip(panels, groups, strict=False):
        bins = group.stops.histogram
        centres = [step - BIN_WIDTH / 2 for step in bins]
        axes.bar(centres, list(bins.values()), width=BIN_WIDTH, color=BLUE, edgecolor="white")
        unfinished = f", {group.stops.unfinished} not stopped" if group.stops.unfinished else ""
        axes.set_title(f"{literal(group.name)}: {group.stops.n} fits{unfinished}")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y")
        axes.set_xlim(left=0)
    for axes in list(figure.axes)[len(groups) :]:
        axes.remove()
    figure.supxlabel("iterations")
    return figure


def errors(curves: Sequence[LearningCurve]) -> Figure:
    """Draw the rates of over-fits and under-fits of each attack (the paper's figure 5)."""
    series = [
        Bars(label, colour, [Rate(getattr(curve, kind), curve.n) for curve in curves])
        for kind, label, colour in (("overfit", "over-fit", RED), ("underfit", "under-fit", GREY))
    ]
    figure, _ = bar_chart("wrong at the last checkpoint, top-5, %", [curve.name for curve in curves], series)
    return figure


def accuracy_by_iteration(curve: LearningCurve) -> Figure:
    """Draw top-1 and top-5 accuracy against iterations, at the checkpoints that all fits reached."""
    figure, axes = one_panel("accuracy, %")
    steps = curve.common_steps
    for label, correct, colour in (("top-1", curve.top1, BLUE), ("top-5", curve.top5, ORANGE)):
        axes.plot(steps, [100 * correct[step] / curve.n for step in steps], color=colour, label=label)
    if curve.best:
        axes.axvline(curve.best, color=GREY, linestyle=":", label=f"best: {curve.best}")
    axes.set_xlabel("iterations")
    legend(figure)
    return figure
