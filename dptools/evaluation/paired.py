"""Two methods on the same images: which is right more often, and whether that could be chance."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from dptools.errors import UsageError
from dptools.evaluation.keys import Record, judged
from dptools.evaluation.metrics import wilson
from dptools.texts import printable


@dataclass(frozen=True)
class Pairs:
    """Outcomes of pairs: both right, only the first, only the second, neither."""

    both: int
    first: int
    second: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float:
        """The first's share of right ones less the second's."""
        return (self.first - self.second) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Of the difference, at 95 %: Wilson intervals of both shares, squared and added, less what the two have in
        common (Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10)."""
        one, other = (self.both + self.first) / self.n, (self.both + self.second) / self.n
        (low1, high1), (low2, high2) = (wilson(self.both + only, self.n) for only in (self.first, self.second))
        below = _joined(one - low1, high2 - other, self._correlation)
        above = _joined(other - low2, high1 - one, self._correlation)
        return max(-1.0, self.difference - below), min(1.0, self.difference + above)

    @property
    def p(self) -> float:
        """McNemar's test, exact and two-sided: how likely so unequal a split of the pairs in which one alone is right
        is, or one more so, if both are right equally often."""
        from scipy.stats import binomtest

        alone = self.first + self.second
        return float(binomtest(self.first, alone).pvalue) if alone else 1.0

    @property
    def _correlation(self) -> float:
        product = self.both * self.neither - self.first * self.second
        corrected = max(product - self.n / 2, 0) if product > 0 else product
        margins = (
            (self.both + self.first)
            * (self.second + self.neither)
            * (self.both + self.second)
            * (self.first + self.neither)
        )
        return corrected / sqrt(margins) if margins else 0.0

    def as_json(self) -> dict[str, Any]:
        counts = {"n": self.n, "both": self.both, "first": self.first, "second": self.second, "neither": self.neither}
        if not self.n:
            return counts
        low, high = self.interval
        return {**counts, "difference": self.difference, "low": low, "high": high, "p": self.p}


@dataclass
class Comparison:
    """Records beside those of another file, which hold the same ids.

    Attributes:
        other: the label's rank by id; None where it is not known. A partner is taken out when it is found.
        counts: how many pairs by rank of both and the place that counts.
        alone: records without a partner, or of which one has no rank.
    """

    other: dict[str, int | None]
    counts: Counter[tuple[int, bool, bool]] = field(default_factory=Counter)
    alone: int = 0

    @property
    def unpaired(self) -> int:
        """Records of both sides that stand in no pair."""
        return self.alone + len(self.other)

    def add(self, record: Record) -> None:
        """Find the record's partner."""
        mine, theirs = rank(record), self.other.pop(str(record.get("id")), None)
        if mine is None or theirs is None:
            self.alone += 1
            return
        for top in (1, 5):
            self.counts[top, mine <= top, theirs <= top] += 1

    def pairs(self, top: int) -> Pairs:
        """The pairs, right when the label is among so many classes."""
        order = ((True, True), (True, False), (False, True), (False, False))
        return Pairs(*(self.counts[top, mine, theirs] for mine, theirs in order))

    def as_json(self) -> dict[str, Any]:
        return {"unpaired": self.unpaired, **{f"top{top}": self.pairs(top).as_json() for top in (1, 5)}}


def rank(record: Record) -> int | None:
    """The label's, after restoration; None of records that stand in no rate."""
    found: int | None = record.get("classify", {}).get("label_rank") if judged(record) else None
    return found


def ranks(records: Iterable[Record]) -> dict[str, int | None]:
    """By id.

    Raises:
        UsageError: an id stands twice, so that it is not clear what is to be paired.
    """
    found: dict[str, int | None] = {}
    for record in records:
        name = str(record.get("id"))
        if name in found:
            raise UsageError(f"the id {printable(name)} stands twice in the records to compare with")
        found[name] = rank(record)
    return found


def _joined(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))
