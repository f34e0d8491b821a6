"""Counts by image. Several records of one image are not independent, and intervals take that into account."""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dptools.evaluation.intervals import ClusteredRate, Rate

MAX_CLUSTERS = 4096
"""Number of clusters of images. If several images share a cluster, intervals are slightly less precise."""

MAX_IMAGES = 100_000
"""Maximum number of images that are remembered, which bounds the memory."""


Name = TypeVar("Name", str, float)


@dataclass
class ImageCounts(Generic[Name]):
    """Counts, by name or by value, in clusters of images.

    Images are assigned to MAX_CLUSTERS clusters by a hash of their name, so that memory is bounded.

    Attributes:
        clusters: The counts of each cluster.
        images: Hashes of the names of the images, at most MAX_IMAGES.
        repeats: Whether an image occurs several times, or may do so, because there are more than MAX_IMAGES.
    """

    clusters: dict[int, Counter[Name]] = field(default_factory=dict)
    images: set[int] = field(default_factory=set)
    repeats: bool = False
    _nameless: int = 0

    def find(self, image: str) -> Counter[Name]:
        """Return the counts of the cluster of an image, to be changed, and remember the image.

        Args:
            image: The name of the image. Each image without a name is a different one.
        """
        if not image:
            self._nameless += 1
            image = f"/{self._nameless}"
        known = hash(image)
        self.repeats |= known in self.images or len(self.images) == MAX_IMAGES
        if len(self.images) < MAX_IMAGES:
            self.images.add(known)
        cluster = zlib.crc32(image.encode("utf-8", "surrogatepass")) % MAX_CLUSTERS
        return self.clusters.setdefault(cluster, Counter())

    def merge(self, other: "ImageCounts[Name]") -> None:
        """Add other counts."""
        self.repeats |= other.repeats or not self.images.isdisjoint(other.images)
        self.images |= other.images
        for cluster, counts in other.clusters.items():
            self.clusters.setdefault(cluster, Counter()).update(counts)

    def total(self) -> Counter[Name]:
        """Return the sums over all clusters."""
        total: Counter[Name] = Counter()
        for counts in self.clusters.values():
            total.update(counts)
        return total

    def rate(self, successes: Name, trials: Name) -> Rate:
        """Return a rate from the names of two counts."""
        pairs = [(counts[successes], counts[trials]) for counts in self.clusters.values()]
        k, n = sum(k for k, _ in pairs), sum(n for _, n in pairs)
        return ClusteredRate(k, n, pairs) if self.repeats else Rate(k, n)
