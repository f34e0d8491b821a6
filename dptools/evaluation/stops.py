"""Iterations at which fits stopped.

The Deep Protection paper chooses its fixed number of iterations from their histogram (its figure 2).
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar

from dptools.evaluation.keys import Record

Number = TypeVar("Number", int, float)

BIN_WIDTH = 50
"""Width of the histogram's bins in iterations: the interval between the paper's checkpoints."""

MAX_ITERATIONS = 10**9
"""Larger iteration numbers are treated as fits that did not stop."""

SUGGESTED_SHARE = 0.95
"""The suggested fixed number of iterations is the one by which this share of all fits had stopped."""

UNFINISHED = "iteration limit reached"
"""The recorded reason of a fit that reached its maximum number of iterations before its criterion stopped it."""


def value_at_rank(counts: Counter[Number], rank: float) -> Number | None:
    """Return the smallest value such that at least ``rank`` values are not larger; None if there are fewer values."""
    values = sorted(counts)
    totals = accumulate(counts[value] for value in values)
    return next((value for value, total in zip(values, totals, strict=True) if total >= rank), None)


@dataclass
class StopStatistics:
    """Counts of the iterations at which fits stopped.

    Attributes:
        steps: Number of fits by the iteration at which the stopping criterion ended them.
        unfinished: Number of fits that reached the maximum number of iterations without being stopped.
        adaptive: Whether at least one fit has a stopping criterion other than a fixed number of iterations.
    """

    steps: Counter[int] = field(default_factory=Counter)
    unfinished: int = 0
    adaptive: bool = False

    def add(self, record: Record) -> None:
        """Count the fit of a record; records without a fit are ignored."""
        stop = record.get("denoise", {}).get("stop")
        if not stop:
            return
        self.adaptive |= not str(stop["criterion"]).startswith("fixed")
        last_step = stop.get("iterations", stop["step"])
        if stop["reason"] == UNFINISHED or last_step > MAX_ITERATIONS:
            self.unfinished += 1
        else:
            self.steps[last_step] += 1

    def merge(self, other: "StopStatistics") -> None:
        """Add another object's counts."""
        self.steps.update(other.steps)
        self.unfinished += other.unfinished
        self.adaptive |= other.adaptive

    @property
    def n(self) -> int:
        """Return the number of fits."""
        return self.steps.total() + self.unfinished

    def quantile(self, share: float) -> int | None:
        """Return the iteration by which a share of all fits had stopped; None if fewer fits stopped at all."""
        return value_at_rank(self.steps, share * self.n)

    @property
    def histogram(self) -> dict[int, int]:
        """Return the number of fits that stopped in each bin, by the bin's last iteration."""
        bins: Counter[int] = Counter()
        for step, count in self.steps.items():
            bins[math.ceil(step / BIN_WIDTH) * BIN_WIDTH] += count
        return dict(sorted(bins.items()))

    def as_json(self) -> dict[str, Any] | None:
        """Return the statistics as a JSON object, documented in dp-eval(1); None if there are no fits."""
        if not self.n:
            return None
        quantiles = {"median": self.quantile(0.5), "suggested": self.quantile(SUGGESTED_SHARE)}
        bins = [{"step": step, "count": count} for step, count in self.histogram.items()]
        return {"n": self.n, "unfinished": self.unfinished, **quantiles, "histogram": bins}
