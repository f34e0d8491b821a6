"""The Deep Protection paper's figures, and a few more, drawn of a summary with matplotlib."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dptools.evaluation.gating import ALL
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group, Rate
from dptools.evaluation.paper_results import PAPER
from dptools.evaluation.plotting import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WIDTH,
    bare,
    bars,
    legend,
    literal,
    name_places,
    one_panel,
    spread,
)
from dptools.evaluation.stops import BIN


def accuracy(groups: Sequence[Group]) -> Figure:
    """Top-1 and top-5 after restoration, group by group (the paper's figures 3 and 4)."""
    figure, axes = one_panel("right after restoration, %")
    for offset, (top, colour) in zip((-0.2, 0.2), (("top1", BLUE), ("top5", ORANGE)), strict=True):
        rates = [group.rate(f"after_{top}") for group in groups]
        bars(axes, rates, offset, 0.38, colour, f"top-{top[3:]}")
    name_places(axes, [group.name for group in groups])
    legend(figure)
    return figure


def termination(groups: Sequence[Group]) -> Figure:
    """Where the fits ended, a histogram a group (the paper's figure 2)."""
    rows = -(-len(groups) // 2)
    figure = Figure(figsize=(WIDTH, 0.6 + 1.4 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, sharex=True, squeeze=False).flat
    for axes, group in zip(panels, groups, strict=False):
        bins = group.stops.histogram
        axes.bar([step - BIN / 2 for step in bins], list(bins.values()), width=BIN, color=BLUE, edgecolor="white")
        unfinished = f", {group.stops.unfinished} never" if group.stops.unfinished else ""
        axes.set_title(f"{literal(group.name)}: {group.stops.n} fits{unfinished}", fontsize=9)
        axes.yaxis.get_major_locator().set_params(integer=True)
        bare(axes)
    for axes in list(figure.axes)[len(groups) :]:
        axes.remove()
    figure.supxlabel("iterations", fontsize=9)
    return figure


def errors(courses: Sequence[LearningCurve]) -> Figure:
    """Shares of fits that went on too long, and that were never right (the paper's figure 5)."""
    figure, axes = one_panel("wrong at the end, top-5, %")
    for offset, (kind, colour) in zip((-0.2, 0.2), (("overfit", RED), ("underfit", GREY)), strict=True):
        rates = [Rate(getattr(course, kind), course.n) for course in courses]
        bars(axes, rates, offset, 0.38, colour, kind.replace("fit", "-fit"))
    name_places(axes, [course.name for course in courses])
    legend(figure)
    return figure


def course(courses: Sequence[LearningCurve]) -> Figure:
    """How many are right after how many iterations."""
    figure, axes = one_panel()
    whole = courses[-1]
    steps = sorted(step for step, count in whole.seen.items() if count == whole.n)
    for name, colour in (("top1", BLUE), ("top5", ORANGE)):
        right = [100 * getattr(whole, name)[step] / whole.n for step in steps]
        axes.plot(steps, right, color=colour, label=f"top-{name[3:]}")
    if whole.best:
        axes.axvline(whole.best, color=GREY, linestyle=":", label=f"best: {whole.best}")
    axes.set_xlabel("iterations", fontsize=9)
    legend(figure)
    return figure


def roc(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """How many attacked images are suspected for so many clean ones: a line an attack, as far as one clean image in
    four, beyond which nobody would go."""
    figure, axes = one_panel("attacked images suspected, %")
    for name, points in curves.items():
        false, true = ([100 * point[place] for point in points] for place in (0, 1))
        strong = name == ALL
        axes.step(
            false,
            true,
            where="post",
            label=f" {literal(name)}",  # without a letter, or with _ before it, a name would not be in the legend
            linewidth=2 if strong else 1,
            color="black" if strong else None,
        )
    axes.set_xlim(0, 25)
    axes.set_xlabel("clean images suspected, %", fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="lower right", ncols=2)
    return figure


def methods(found: dict[str, tuple[Group, Group]]) -> Figure:
    """Top-1 of clean and of attacked images, method by method, and the paper's own (its figure 6)."""
    figure, axes = one_panel("top-1, %")
    for offset, place, colour, label in ((-0.2, 0, GREEN, "clean"), (0.2, 1, BLUE, "attacked")):
        bars(axes, [pair[place].rate("after_top1") for pair in found.values()], offset, 0.38, colour, label)
    top1 = [each.percent for clean in (True, False) for each in PAPER if each.top == 1 and each.clean is clean]
    places = [len(found) - 0.2, len(found) + 0.2]
    axes.bar(places, top1, 0.38, color="white", edgecolor=[GREEN, BLUE], hatch="////", label="published (resnet18)")
    name_places(axes, [*found, "the paper"])
    legend(figure)
    return figure


def speed(found: dict[str, tuple[Group, Group]]) -> Figure:
    """Top-1 of attacked images against the seconds that an image takes, a point a method."""
    figure, axes = one_panel("top-1 of attacked images, %")
    for method, (clean, attacked) in found.items():
        rate, seconds = attacked.rate("after_top1"), attacked.median_seconds or clean.median_seconds
        if not rate.n or not seconds:
            continue
        height = 100 * rate.k / rate.n
        axes.errorbar([seconds], [height], yerr=spread([rate]), fmt="o", color=BLUE, ecolor=GREY, capsize=2)
        axes.annotate(literal(method), (seconds, height), (6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("seconds an image, median", fontsize=9)
    axes.margins(x=0.25)
    return figure


def probabilities(before: Sequence[tuple[str, float]], after: Sequence[tuple[str, float]], label: str) -> Figure:
    """The classes of one image before and after restoration (the paper's figure 7); the true class stands out."""
    figure = Figure(figsize=(WIDTH, 2.3), layout="constrained")
    for axes, title, classes in zip(
        figure.subplots(1, 2, sharex=True), ("attacked", "restored"), (before, after), strict=True
    ):
        names = [name for name, _ in classes]
        colours = [GREEN if name == label else GREY for name in names]
        axes.barh(range(len(names)), [100 * p for _, p in classes], color=colours)
        axes.set_yticks(range(len(names)), list(map(literal, names)), fontsize=8)
        axes.invert_yaxis()
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("probability, %", fontsize=8)
        bare(axes)
    return figure
