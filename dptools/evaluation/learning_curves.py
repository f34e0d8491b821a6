"""Learning curves of fits, from traces: over-fits, under-fits, and the best fixed number of iterations.

A trace has one line per checkpoint, with the rank of the true label among the classes of the image at that checkpoint.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.keys import ALL, NONE, Record
from dptools.texts import printable

TOP = 5
"""Over-fits and under-fits are defined by top-5 accuracy, as in the Deep Protection paper."""


@dataclass
class LearningCurve:
    """Accuracy of the fits of one attack at each checkpoint.

    Over-fits and under-fits are defined as in the Deep Protection paper, section 4.2.

    Attributes:
        name: Name of the attack.
        n: Number of fits.
        overfit: Number of fits that were correct at an earlier checkpoint and wrong at the last.
        underfit: Number of fits that were correct at no checkpoint.
        fits: Number of fits with a checkpoint, by iteration.
        top1: Number of those fits that are correct by top-1, by iteration.
        top5: Number of those fits that are correct by top-5, by iteration.
    """

    name: str
    n: int = 0
    overfit: int = 0
    underfit: int = 0
    fits: Counter[int] = field(default_factory=Counter)
    top1: Counter[int] = field(default_factory=Counter)
    top5: Counter[int] = field(default_factory=Counter)

    def add(self, checkpoints: Sequence[tuple[int, int]]) -> None:
        """Count one fit.

        Args:
            checkpoints: Iteration and rank of the true label at each checkpoint, in order.
        """
        self.n += 1
        correct = [rank <= TOP for _, rank in checkpoints]
        self.overfit += any(correct) and not correct[-1]
        self.underfit += not any(correct)
        for iteration, rank in checkpoints:
            self.fits[iteration] += 1
            self.top1[iteration] += rank <= 1
            self.top5[iteration] += rank <= TOP

    @property
    def common_steps(self) -> list[int]:
        """Return the iterations, in order, at which all fits have a checkpoint."""
        return sorted(step for step, count in self.fits.items() if count == self.n)

    @property
    def best(self) -> int | None:
        """Return the iteration at which most fits were correct; None if no checkpoint is common to all fits.

        Iterations are compared by top-5 accuracy, then by top-1 accuracy. The earliest of equal ones is returned.
        """
        return max(self.common_steps, key=lambda step: (self.top5[step], self.top1[step]), default=None)

    def as_json(self) -> dict[str, Any]:
        """Return the curve as a JSON object, documented in dp-eval(1)."""
        checkpoints = [
            {"iteration": step, "n": self.fits[step], "top1": self.top1[step], "top5": self.top5[step]}
            for step in sorted(self.fits)
        ]
        errors = {"n": self.n, "overfit": self.overfit, "underfit": self.underfit}
        return {"name": self.name, **errors, "best": self.best, "checkpoints": checkpoints}


def learning_curves(points: Iterable[Record]) -> list[LearningCurve]:
    """Return the learning curve of each attack, followed by their total if there are several.

    Args:
        points: Lines of traces. Those of one fit are consecutive and ordered by iteration. Lines without the rank of
            the true label are ignored.
    """
    curves: dict[str, LearningCurve] = {}
    total = LearningCurve(ALL)
    for attack, checkpoints in _fits(point for point in points if point.get("label_rank") is not None):
        curves.setdefault(attack, LearningCurve(attack)).add(checkpoints)
        total.add(checkpoints)
    return [*curves.values(), *([total] if len(curves) > 1 else [])]


def _fits(points: Iterable[Record]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Yield the attack and the checkpoints of each fit.

    A fit ends when the id changes or the iteration number does not increase.
    """
    fit: list[Record] = []
    for point in points:
        if fit and (point["id"] != fit[-1]["id"] or point["iteration"] <= fit[-1]["iteration"]):
            yield _attack_and_checkpoints(fit)
            fit = []
        fit.append(point)
    if fit:
        yield _attack_and_checkpoints(fit)


def _attack_and_checkpoints(fit: Sequence[Record]) -> tuple[str, list[tuple[int, int]]]:
    return printable(fit[0].get("attack", NONE)), [(point["iteration"], point["label_rank"]) for point in fit]
