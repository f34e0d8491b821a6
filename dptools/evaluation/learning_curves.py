"""What traces of fits tell: which errors are over-fits, which under-fits, and which fixed step would have been best.

A trace has a line a checkpoint, with the rank of the true label in what the classifier saw there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.keys import NONE, Record
from dptools.texts import printable

TOP = 5
"""The paper counts an image as right when the label is among as many classes."""


@dataclass
class LearningCurve:
    """The fits of one attack, checkpoint by checkpoint.

    Attributes:
        n: fits.
        overfit: wrong at the last checkpoint, and right at some earlier one.
        underfit: right at none. Both as the Deep Protection paper has them, section 4.2.
        seen: how many fits were looked at after so many iterations.
        top1, top5: in how many of them the label was there.
    """

    name: str
    n: int = 0
    overfit: int = 0
    underfit: int = 0
    seen: Counter[int] = field(default_factory=Counter)
    top1: Counter[int] = field(default_factory=Counter)
    top5: Counter[int] = field(default_factory=Counter)

    def add(self, ranks: Sequence[tuple[int, int]]) -> None:
        """One fit: iterations and the label's rank there."""
        self.n += 1
        right = [rank <= TOP for _, rank in ranks]
        self.overfit += any(right) and not right[-1]
        self.underfit += not any(right)
        for iteration, rank in ranks:
            self.seen[iteration] += 1
            self.top1[iteration] += rank <= 1
            self.top5[iteration] += rank <= TOP

    def merge(self, other: "LearningCurve") -> None:
        self.n, self.overfit = self.n + other.n, self.overfit + other.overfit
        self.underfit += other.underfit
        for name in ("seen", "top1", "top5"):
            getattr(self, name).update(getattr(other, name))

    @property
    def best(self) -> int | None:
        """The checkpoint at which most fits were right, by top-5 and then top-1; the earliest of several. Only where
        every fit came so far."""
        common = sorted(step for step, count in self.seen.items() if count == self.n)
        return max(common, key=lambda step: (self.top5[step], self.top1[step]), default=None)

    def as_json(self) -> dict[str, Any]:
        points = [
            {"iteration": step, "n": self.seen[step], "top1": self.top1[step], "top5": self.top5[step]}
            for step in sorted(self.seen)
        ]
        errors = {"n": self.n, "overfit": self.overfit, "underfit": self.underfit}
        return {"name": self.name, **errors, "best": self.best, "checkpoints": points}


def follow(points: Iterable[Record]) -> list[LearningCurve]:
    """The courses of traces, one an attack, and ``all`` when there are several. The points of one fit stand together,
    in order; those without a label's rank are left out."""
    courses: dict[str, LearningCurve] = {}
    for attack, ranks in _fits(point for point in points if point.get("label_rank") is not None):
        courses.setdefault(attack, LearningCurve(attack)).add(ranks)
    total = LearningCurve("all")
    for course in courses.values():
        total.merge(course)
    return [*courses.values(), *([total] if len(courses) > 1 else [])]


def _fits(points: Iterable[Record]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The attack and the looks of each fit. One ends where another image comes, or the iterations begin again."""
    fit: list[Record] = []
    for point in points:
        if fit and (point["id"] != fit[-1]["id"] or point["iteration"] <= fit[-1]["iteration"]):
            yield _looks(fit)
            fit = []
        fit.append(point)
    if fit:
        yield _looks(fit)


def _looks(fit: Sequence[Record]) -> tuple[str, list[tuple[int, int]]]:
    return printable(fit[0].get("attack", NONE)), [(point["iteration"], point["label_rank"]) for point in fit]
