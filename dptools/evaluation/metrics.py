"""Accuracies of a stream of records, of one attack or of any other group, each with its interval."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.keys import NONE, Record, judged
from dptools.evaluation.stops import Stops

CENTURY = 3e9
"""Seconds; whatever took longer is a mistake."""


@dataclass(frozen=True)
class Rate:
    """A share k of n, with its Wilson score interval (Wilson 1927) at 95 %."""

    k: int
    n: int

    @property
    def low(self) -> float:
        return wilson(self.k, self.n)[0]

    @property
    def high(self) -> float:
        return wilson(self.k, self.n)[1]

    def as_json(self) -> dict[str, int | float | None]:
        known = {"rate": self.k / self.n, "low": self.low, "high": self.high} if self.n else {}
        return {"k": self.k, "n": self.n, "rate": None, "low": None, "high": None} | known


def wilson(k: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of k successes in n > 0 trials; z = 1.96 covers 95 %."""
    share, spread = k / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, centre - half) if k else 0.0, min(1.0, centre + half) if k < n else 1.0


@dataclass
class Group:
    """What was counted of the records that have something in common, an attack for instance.

    ``clean`` is the attacked classifier on the clean images, those that it got wrong and the attack skipped included;
    ``before`` is the image as attacked, from dp-attack's own reading of the file it wrote; ``after`` is what
    dp-classify says of it as it left the last tool.

    Attributes:
        stops: where the fits ended.
        seconds: how many records took so long in dp-denoise, of those that say so: not of those that found their output
            made.
    """

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    stops: Stops = field(default_factory=Stops)
    seconds: Counter[float] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        attack = record.get("attack", {})
        self.counts["records"] += 1
        if "error" in record:
            self.counts["failed"] += 1
            return
        self._rank("clean", attack.get("clean_rank"))
        if not judged(record):
            self.counts["skipped"] += 1
        else:
            self._count("success", attack.get("success"))
            self._rank("before", attack.get("adversarial_rank"))
            self._rank("after", record.get("classify", {}).get("label_rank"))
            self.stops.add(record)
            self._time(record)

    def merge(self, other: "Group") -> None:
        self.counts.update(other.counts)
        self.stops.merge(other.stops)
        self.seconds.update(other.seconds)

    @property
    def median_seconds(self) -> float | None:
        """That dp-denoise took for an image; None where no record says so. The first image of a process takes longer,
        which a mean of few would show."""
        middle, passed = self.seconds.total() / 2, 0
        for seconds in sorted(self.seconds):
            passed += self.seconds[seconds]
            if passed >= middle:
                return seconds
        return None

    @property
    def judged(self) -> int:
        """Records that stand in the rates."""
        return self.counts["records"] - self.counts["failed"] - self.counts["skipped"]

    def rate(self, name: str) -> Rate:
        """One of ``success``, ``clean_top1``, ``before_top5``, ``after_top1`` and so on."""
        return Rate(self.counts[name], self.counts[f"{name}_n"])

    def as_json(self) -> dict[str, Any]:
        stages = {
            stage: {top: self.rate(f"{stage}_{top}").as_json() for top in ("top1", "top5")}
            for stage in ("clean", "before", "after")
        }
        counted = {name: self.counts[name] for name in ("records", "failed", "skipped")}
        rates = {"success": self.rate("success").as_json(), **stages}
        return {"name": self.name, **counted, **rates, "seconds": self.median_seconds, "stop": self.stops.as_json()}

    def _time(self, record: Record) -> None:
        """To three digits, so that there are not as many as records."""
        entries = [entry for entry in record.get("stages", []) if entry.get("tool") == "dp-denoise"]
        known = [float(entry["seconds"]) for entry in entries if entry.get("seconds") is not None]
        if known and sum(known) < CENTURY:
            self.seconds[float(f"{sum(known):.3g}")] += 1

    def _rank(self, stage: str, rank: int | None) -> None:
        for top in (1, 5):
            self._count(f"{stage}_top{top}", None if rank is None else rank <= top)

    def _count(self, name: str, hit: bool | None) -> None:
        if hit is not None:
            self.counts[name] += hit
            self.counts[f"{name}_n"] += 1


def with_total(groups: Iterable[Group]) -> list[Group]:
    """The groups, and all together where there are several, but for what has no name."""
    groups = list(groups)
    named = [group for group in groups if group.name != NONE]
    total = Group("all")
    for group in named:
        total.merge(group)
    return [*groups, *([total] if len(named) > 1 else [])]
