"""Accuracies of groups of records."""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.hits import TOPS, Hits, hits, hits_of_rank
from dptools.evaluation.intervals import ClusteredRate, Rate
from dptools.evaluation.keys import Record, is_scored, source_image
from dptools.evaluation.stops import StopStatistics, value_at_rank

MAX_SECONDS = 3e9
"""Durations of a century or more are treated as errors and ignored."""

MAX_CLUSTERS = 4096
"""Number of clusters of images in a group. If several images share a cluster, intervals are slightly less precise."""

MAX_IMAGES = 100_000
"""Maximum number of images that are remembered, which bounds the memory."""


@dataclass
class Group:
    """Counts over the records that share a key, for example an attack.

    An image can occur several times, for example with several epsilons. Intervals take that into account: images are
    assigned to MAX_CLUSTERS clusters by a hash of their name, so that memory is bounded.

    The rates are named ``success`` and ``STAGE_TOP``, with top ``top1`` or ``top5`` and one of these stages:

    - ``clean``: the attacked classifier on the clean image, including images that the attack skipped because the
      classifier misclassified them.
    - ``before``: the attacked classifier on the adversarial image, as dp-attack read it back from its file.
    - ``after``: the classifier of dp-classify on the image that the last tool wrote.

    Attributes:
        name: The group's name.
        counts: Numbers of records; for each rate NAME, the successes (``NAME``) and the trials (``NAME_n``).
        stops: Iterations at which fits stopped.
        seconds: Number of records by the seconds that dp-denoise took. Records of reused outputs have no seconds.
        clusters: Counts of the rates in each cluster.
        images: Hashes of the names of the images, at most MAX_IMAGES.
        repeats: Whether an image occurs several times, or may do so, because there are more than MAX_IMAGES.
    """

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    stops: StopStatistics = field(default_factory=StopStatistics)
    seconds: Counter[float] = field(default_factory=Counter)
    clusters: dict[int, Counter[str]] = field(default_factory=dict)
    images: set[int] = field(default_factory=set)
    repeats: bool = False
    _cluster: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    def add(self, record: Record) -> None:
        """Count a record."""
        attack = record.get("attack", {})
        self._cluster = self._find_cluster(source_image(record) or str(self.counts["records"]))
        self.counts["records"] += 1
        if "error" in record:
            self.counts["failed"] += 1
            return
        self._count_hits("clean", hits_of_rank(attack.get("clean_rank")))
        if not is_scored(record):
            self.counts["skipped"] += 1
        else:
            self._count_trial("success", attack.get("success"))
            self._count_hits("before", hits_of_rank(attack.get("adversarial_rank")))
            self._count_hits("after", hits(record))
            self.stops.add(record)
            self._count_seconds(record)

    def merge(self, other: "Group") -> None:
        """Add another group's counts."""
        self.counts.update(other.counts)
        self.stops.merge(other.stops)
        self.seconds.update(other.seconds)
        self.repeats |= other.repeats or not self.images.isdisjoint(other.images)
        self.images |= other.images
        for cluster, counts in other.clusters.items():
            self.clusters.setdefault(cluster, Counter()).update(counts)

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
        k, n = self.counts[name], self.counts[f"{name}_n"]
        if not self.repeats:
            return Rate(k, n)
        return ClusteredRate(k, n, [(counts[name], counts[f"{name}_n"]) for counts in self.clusters.values()])

    def as_json(self) -> dict[str, Any]:
        """Return the group as a JSON object, documented in dp-eval(1)."""
        stages = {
            stage: {top: self.rate(f"{stage}_{top}").as_json() for top in ("top1", "top5")}
            for stage in ("clean", "before", "after")
        }
        records = {name: self.counts[name] for name in ("records", "failed", "skipped")}
        rates = {"success": self.rate("success").as_json(), **stages}
        return {"name": self.name, **records, **rates, "seconds": self.median_seconds, "stop": self.stops.as_json()}

    def _find_cluster(self, image: str) -> Counter[str]:
        """Return the counts of the cluster of an image, and remember the image."""
        known = hash(image)
        self.repeats |= known in self.images or len(self.images) == MAX_IMAGES
        if len(self.images) < MAX_IMAGES:
            self.images.add(known)
        cluster = zlib.crc32(image.encode("utf-8", "surrogatepass")) % MAX_CLUSTERS
        return self.clusters.setdefault(cluster, Counter())

    def _count_seconds(self, record: Record) -> None:
        """Count the seconds rounded to three digits, which bounds the number of distinct values."""
        entries = [entry for entry in record.get("stages", []) if entry.get("tool") == "dp-denoise"]
        durations = [float(entry["seconds"]) for entry in entries if entry.get("seconds") is not None]
        if durations and sum(durations) < MAX_SECONDS:
            self.seconds[float(f"{sum(durations):.3g}")] += 1

    def _count_hits(self, stage: str, found: Hits) -> None:
        for top, hit in zip(TOPS, found, strict=True):
            self._count_trial(f"{stage}_top{top}", hit)

    def _count_trial(self, name: str, success: bool | None) -> None:
        if success is not None:
            for counts in (self.counts, self._cluster):
                counts[name] += success
                counts[f"{name}_n"] += 1


def merged(name: str, groups: Iterable[Group]) -> Group:
    """Return a group with the counts of several groups."""
    total = Group(name)
    for group in groups:
        total.merge(group)
    return total
