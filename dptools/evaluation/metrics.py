"""Accuracies of groups of records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.hits import TOPS, Hits, hits, hits_of_rank
from dptools.evaluation.image_counts import ImageCounts
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import Record, is_scored, source_image
from dptools.evaluation.stops import StopStatistics, value_at_rank

MAX_SECONDS = 3e9
"""Durations of a century or more are treated as errors and ignored."""


@dataclass
class Group:
    """Counts over the records that share a key, for example an attack.

    An image can occur several times, for example with several epsilons. Intervals take that into account.

    The rates are named ``success`` and ``STAGE_TOP``, with top ``top1`` or ``top5`` and one of these stages:

    - ``clean``: the attacked classifier on the clean image, including images that the attack skipped because the
      classifier misclassified them.
    - ``before``: the attacked classifier on the adversarial image, as dp-attack read it back from its file.
    - ``after``: the classifier of dp-classify on the image that the last tool wrote.

    Attributes:
        name: The group's name.
        counts: Numbers of records.
        by_image: For each rate NAME, the successes (``NAME``) and the trials (``NAME_n``).
        stops: Iterations at which fits stopped.
        seconds: Number of records by the seconds that dp-denoise took. Records of reused outputs have no seconds.
    """

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    stops: StopStatistics = field(default_factory=StopStatistics)
    seconds: Counter[float] = field(default_factory=Counter)
    by_image: ImageCounts[str] = field(default_factory=ImageCounts)

    def add(self, record: Record) -> None:
        """Count a record."""
        attack = record.get("attack", {})
        trials = self.by_image.find(source_image(record))
        self.counts["records"] += 1
        if "error" in record:
            self.counts["failed"] += 1
            return
        _count_hits(trials, "clean", hits_of_rank(attack.get("clean_rank")))
        if not is_scored(record):
            self.counts["skipped"] += 1
        else:
            _count_trial(trials, "success", attack.get("success"))
            _count_hits(trials, "before", hits_of_rank(attack.get("adversarial_rank")))
            _count_hits(trials, "after", hits(record))
            self.stops.add(record)
            self._count_seconds(record)

    def merge(self, other: "Group") -> None:
        """Add another group's counts."""
        self.counts.update(other.counts)
        self.stops.merge(other.stops)
        self.seconds.update(other.seconds)
        self.by_image.merge(other.by_image)

    @property
    def median_seconds(self) -> float | None:
        """Return the median seconds per image in dp-denoise; None if no record has them.

        A process takes longer for its first image, which would distort the mean of a few images.
        """
        return value_at_rank(self.seconds, self.seconds.total() / 2)

    @property
    def scored(self) -> int:
        """Return the number of records that count in rates."""
        return self.counts["records"] - self.counts["failed"] - self.counts["skipped"]

    def rate(self, name: str) -> Rate:
        """Return a rate by its name: ``success``, ``clean_top1``, ``before_top5``, ``after_top1`` and so on."""
        return self.by_image.rate(name, f"{name}_n")

    def as_json(self) -> dict[str, Any]:
        """Return the group as a JSON object, documented in dp-eval(1)."""
        stages = {
            stage: {top: self.rate(f"{stage}_{top}").as_json() for top in ("top1", "top5")}
            for stage in ("clean", "before", "after")
        }
        records = {name: self.counts[name] for name in ("records", "failed", "skipped")}
        rates = {"success": self.rate("success").as_json(), **stages}
        return {"name": self.name, **records, **rates, "seconds": self.median_seconds, "stop": self.stops.as_json()}

    def _count_seconds(self, record: Record) -> None:
        """Count the seconds rounded to three digits, which bounds the number of distinct values."""
        entries = [entry for entry in record.get("stages", []) if entry.get("tool") == "dp-denoise"]
        durations = [float(entry["seconds"]) for entry in entries if entry.get("seconds") is not None]
        if durations and sum(durations) < MAX_SECONDS:
            self.seconds[float(f"{sum(durations):.3g}")] += 1


def merged(name: str, groups: Iterable[Group]) -> Group:
    """Return a group with the counts of several groups."""
    total = Group(name)
    for group in groups:
        total.merge(group)
    return total


def _count_hits(trials: Counter[str], stage: str, found: Hits) -> None:
    for top, hit in zip(TOPS, found, strict=True):
        _count_trial(trials, f"{stage}_top{top}", hit)


def _count_trial(trials: Counter[str], name: str, success: bool | None) -> None:
    if success is not None:
        trials[name] += success
        trials[f"{name}_n"] += 1
