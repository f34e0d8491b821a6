"""Figures about groups and methods, including those of the Deep Protection paper, drawn with matplotlib."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import chain, cycle
from typing import Any

from matplotlib.figure import Figure

from dptools.evaluation.certified import BestGroup, CertificateGroup
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import ALL
from dptools.evaluation.metrics import Group
from dptools.evaluation.paper_results import PAPER_RESULTS
from dptools.evaluation.plotting import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    OUTLINE,
    SKY,
    Bars,
    bar_chart,
    error_lengths,
    legend,
    literal,
    new_figure,
    one_panel,
)
from dptools.evaluation.robustness import Run

PUBLISHED_CERTIFICATES = {
    "arXiv 2003.01908, ResNet-50, DnCNN": {0.25: 48, 0.5: 31, 1.0: 12},
    "arXiv 1902.02918, ResNet-50 trained on noise": {0.25: 62, 0.5: 52, 1.0: 39},
}
"""Published certified accuracy on ImageNet's validation set in per cent, by radius, with the best noise per radius."""

PAPER_NAME = "paper, resnet18"
"""The name of the bars with the results of the Deep Protection paper."""

MAX_FALSE_POSITIVES = 25
"""Largest false positive rate in the ROC figure, in per cent. No practical gate has a higher one."""


def accuracy(groups: Sequence[Group]) -> Figure:
    """Draw top-1 and top-5 accuracy after purification for each group (the paper's figures 3 and 4)."""
    series = [
        Bars(f"top-{top}", colour, [group.rate(f"after_top{top}") for group in groups])
        for top, colour in ((1, BLUE), (5, ORANGE))
    ]
    has_top5 = any(rate.n for rate in series[1].rates)
    figure, _ = bar_chart("accuracy, %" if has_top5 else "top-1 accuracy, %", [group.name for group in groups], series)
    return figure


def roc(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Draw the ROC curve of each attack up to a false positive rate of 25 %."""
    figure, axes = one_panel("attacked images that are suspect, %")
    for name, points in curves.items():
        is_total = name == ALL
        axes.step(
            [100 * false_positive for false_positive, _ in points],
            [100 * true_positive for _, true_positive in points],
            where="post",
            label=f" {literal(name)}",  # matplotlib omits labels that are empty or start with _ from the legend
            linewidth=2 if is_total else 1,
            color="black" if is_total else None,
        )
    axes.set_xlim(0, MAX_FALSE_POSITIVES)
    axes.set_xlabel("clean images that are suspect, %")
    axes.legend(loc="lower right", ncols=2)
    return figure


def robustness(curves: Mapping[str, Sequence[Run]], quantity: str) -> Figure:
    """Draw robust accuracy against epsilon or against the number of steps, one line per curve.

    Args:
        curves: The runs of each curve, in increasing order of the quantity.
        quantity: ``epsilon`` or ``steps``.
    """
    figure, axes = one_panel("robust accuracy, %")
    in_255 = quantity == "epsilon" and all(runs[0].key.norm == "linf" for runs in curves.values())
    for (name, runs), marker in zip(curves.items(), cycle("osD^vP"), strict=False):
        values = [getattr(run.key, quantity) * (255 if in_255 else 1) for run in runs]
        rates = [run.majority for run in runs]
        if quantity == "epsilon":  # without a perturbation, the accuracy is that of clean images
            values, rates = [0, *values], [runs[0].clean, *rates]
        heights = [100 * rate.k / rate.n for rate in rates]
        style: dict[str, Any] = {"marker": marker, "capsize": 2, "linewidth": 1, "label": literal(name)}
        axes.errorbar(values, heights, yerr=error_lengths(rates), clip_on=False, **style)
    if quantity == "steps":
        axes.set_xscale("log")
    names = {"steps": "number of steps or queries", "epsilon": "epsilon in 1/255" if in_255 else "epsilon"}
    axes.set_xlabel(names[quantity])
    axes.legend()
    return figure


def certified(groups: Sequence[tuple[str, CertificateGroup]], published: bool = True) -> Figure:
    """Draw certified accuracy against the radius, one line per noise level, and the points of the literature."""
    figure, axes = one_panel("certified and correct, %")
    for name, group in groups:
        parts = group.groups if isinstance(group, BestGroup) else [group]
        correct = [sorted(each.radius for each in part.certificates.values() if each.correct) for part in parts]
        radii = sorted({0.0, *chain(*correct)})
        counts = [max(len(part) - bisect_left(part, radius) for part in correct) for radius in radii]
        heights = [100 * count / len(group.certificates) for count in counts]
        axes.step(
            [*radii, radii[-1]],
            [*heights, 0],
            where="pre",
            linewidth=2 if group.sigma is None else 1,
            color="black" if group.sigma is None else None,
            label=literal(name),
        )
    for (name, points), marker in zip(PUBLISHED_CERTIFICATES.items() if published else (), "x+", strict=False):
        axes.plot(list(points), list(points.values()), marker, color=GREY, label=name)
    axes.set_xlabel("L2 radius")
    axes.legend()
    return figure


def methods(groups: Mapping[str, tuple[Group, Group]], published: bool = True) -> Figure:
    """Draw top-1 accuracy on clean and on attacked images for each method (the paper's figure 6).

    Args:
        groups: The group of clean images and the group of attacked images of each method.
        published: Whether to add the results of the Deep Protection paper, hatched and without intervals.
    """
    nothing = [Rate(0, 0)] if published else []  # the bars of the paper are drawn separately
    series = [
        Bars(label, colour, [*(pair[index].rate("after_top1") for pair in groups.values()), *nothing])
        for index, label, colour in ((0, "clean", SKY), (1, "attacked", BLUE))
    ]
    figure, axes = bar_chart("top-1 accuracy, %", [*groups, *([PAPER_NAME] if published else [])], series)
    if not published:
        return figure
    paper = {result.clean: result.percent for result in PAPER_RESULTS if result.top == 1}
    shown = [each for each in series if any(rate.n for rate in each.rates)]  # the legend explains their colours only
    thickness = 0.8 / max(1, len(shown))
    for number, each in enumerate(shown):
        offset = thickness * (number - (len(shown) - 1) / 2)
        place = (len(groups) + offset, paper[each.label == "clean"], 0.94 * thickness)
        axes.barh(*place, color=each.colour, edgecolor="white", hatch="////")
        axes.barh(*place, fill=False, **OUTLINE)
    axes.barh(0, 0, color=GREY, edgecolor="white", hatch="////", label="published")  # only for the legend
    figure.legends.clear()
    legend(figure)
    return figure


def speed(groups: Mapping[str, tuple[Group, Group]]) -> Figure:
    """Draw top-1 accuracy on attacked images against the median seconds per image, one point per method."""
    figure, axes = one_panel("top-1 accuracy on attacked images, %")
    for method, (clean, attacked) in groups.items():
        rate, seconds = attacked.rate("after_top1"), attacked.median_seconds or clean.median_seconds
        if not rate.n or not seconds:
            continue
        height = 100 * rate.k / rate.n
        axes.errorbar([seconds], [height], yerr=error_lengths([rate]), fmt="o", color=BLUE, ecolor=GREY, capsize=2)
        axes.annotate(literal(method), (seconds, height), (6, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_xlabel("median seconds per image")
    axes.margins(x=0.25)
    return figure


def probabilities(before: Sequence[tuple[str, float]], after: Sequence[tuple[str, float]], label: str) -> Figure:
    """Draw the classes of one image before and after purification (the paper's figure 7).

    Args:
        before: Names and probabilities of the most probable classes of the attacked image.
        after: The same for the purified image.
        label: The true class, which is highlighted.
    """
    figure = new_figure(2.3)
    panels = figure.subplots(1, 2, sharex=True)
    for axes, title, classes in zip(panels, ("attacked", "purified"), (before, after), strict=True):
        names = [name for name, _ in classes]
        colours = [GREEN if name == label else GREY for name in names]
        shown = axes.barh(range(len(names)), [100 * p for _, p in classes], color=colours)
        for bar, name in zip(shown, names, strict=True):
            bar.set_hatch("////" if name == label else "")  # the colours are equally light
            bar.set_edgecolor("white")
        axes.set_yticks(range(len(names)), list(map(literal, names)))
        axes.invert_yaxis()
        axes.set_title(title)
        axes.set_xlabel("probability, %")
        axes.grid(axis="x")
    return figure
