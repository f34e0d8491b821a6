"""Where fits ended: the histogram from which the Deep Protection paper takes its fixed step (figure 2)."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.keys import Record

BIN = 50
"""Iterations: the paper looks at an image as often."""

MANY = 10**9
"""No fit has more iterations."""

MOST = 0.95
"""The share of the fits that a fixed step should be enough for."""


@dataclass
class Stops:
    """Ends of fits.

    Attributes:
        steps: how many ended after so many iterations, because the rule said so.
        unfinished: how many ran to the most iterations, and the rule never said so.
        ruled: some rule looked at the fits; else they ended at a step that was fixed beforehand.
    """

    steps: Counter[int] = field(default_factory=Counter)
    unfinished: int = 0
    ruled: bool = False

    def add(self, record: Record) -> None:
        stop = record.get("denoise", {}).get("stop")
        if not stop:
            return
        self.ruled |= not str(stop["rule"]).startswith("fixed")
        ended = stop.get("iterations", stop["step"])
        if stop["reason"] == "most iterations done" or ended > MANY:
            self.unfinished += 1
        else:
            self.steps[ended] += 1

    def merge(self, other: "Stops") -> None:
        self.steps.update(other.steps)
        self.unfinished += other.unfinished
        self.ruled |= other.ruled

    @property
    def n(self) -> int:
        return self.steps.total() + self.unfinished

    def by(self, share: float) -> int | None:
        """The step by which this share of all fits had ended; None if fewer ever did."""
        wanted, reached = math.ceil(share * self.n), 0
        for step in sorted(self.steps):
            reached += self.steps[step]
            if reached >= wanted:
                return step
        return None

    @property
    def histogram(self) -> dict[int, int]:
        """How many ended in each BIN, by its last step."""
        bins: Counter[int] = Counter()
        for step, count in self.steps.items():
            bins[math.ceil(step / BIN) * BIN] += count
        return dict(sorted(bins.items()))

    def as_json(self) -> dict[str, Any] | None:
        """``suggested`` is the fixed step that is enough for MOST of the fits."""
        if not self.n:
            return None
        quantiles = {"median": self.by(0.5), "suggested": self.by(MOST)}
        bins = [{"step": step, "count": count} for step, count in self.histogram.items()]
        return {"n": self.n, "unfinished": self.unfinished, **quantiles, "histogram": bins}
