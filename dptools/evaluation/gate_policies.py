"""Outcomes of three policies for each image: purify nothing, only suspect images, or everything."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.image_counts import ImageCounts
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import Record
from dptools.evaluation.metrics import MAX_SECONDS

POLICIES = ("nothing", "suspects", "everything")
"""The policies, named after the images that they purify."""


@dataclass(frozen=True)
class PolicyOutcome:
    """The outcome of one policy for one image.

    Attributes:
        policy: One of :data:`POLICIES`.
        rank: Rank of the true label in the image that the policy passes on; None if unknown.
        purified: Whether the policy purifies the image.
        seconds: Seconds of detection and purification; None if unknown.
    """

    policy: str
    rank: int | None
    purified: bool
    seconds: float | None


@dataclass
class PolicyStatistics:
    """Accuracy and cost of one policy, over clean or over attacked images.

    Attributes:
        by_image: Numbers of records: all (``images``), purified (``restored``), with known seconds (``timed``), with a
            known rank (``n``), correct (``top1``, ``top5``).
        seconds: Sum of the known seconds.
    """

    by_image: ImageCounts[str] = field(default_factory=ImageCounts)
    seconds: float = 0.0

    def add(self, image: str, outcome: PolicyOutcome) -> None:
        """Count the outcome for an image."""
        counts = self.by_image.find(image)
        if outcome.rank is not None:
            counts.update(n=1, top1=outcome.rank <= 1, top5=outcome.rank <= 5)
        counts.update(images=1, restored=outcome.purified, timed=outcome.seconds is not None)
        self.seconds += outcome.seconds or 0.0

    def rate(self, top: str) -> Rate:
        """Return the accuracy ``top1`` or ``top5``."""
        return self.by_image.rate(top, "n")

    @property
    def restored(self) -> Rate:
        """Return the rate of images that are purified."""
        return self.by_image.rate("restored", "images")

    @property
    def mean_seconds(self) -> float | None:
        """Return the mean seconds per image; None unless the seconds of every image are known.

        Images whose output was reused have no seconds, so a mean over the others could be biased.
        """
        timed = self.by_image.rate("timed", "images")
        return self.seconds / timed.n if timed.k == timed.n > 0 else None

    def as_json(self) -> dict[str, Any]:
        """Return the statistics as a JSON object, documented in dp-eval(1)."""
        rates = {"top1": self.rate("top1"), "top5": self.rate("top5"), "restored": self.restored}
        return {**{name: rate.as_json() for name, rate in rates.items()}, "seconds": self.mean_seconds}


def policy_outcomes(record: Record, score: float, threshold: float) -> Iterator[PolicyOutcome]:
    """Yield the outcome of each policy that a record has the data for.

    A record of an image that was purified without a gate has the data for all policies. Its ``suspect`` object holds
    the rank of the true label before purification. A record that passed a gate has no data for "everything", and one
    whose suspicion was computed after purification has no data at all.

    Args:
        record: The record, with a ``suspicion``.
        score: Its ``suspicion``, the calibrated score of the detector.
        threshold: The threshold to apply if the image did not pass a gate.
    """
    if _is_checked_after_purification(record):
        return
    denoise, rank_before = record.get("denoise"), record.get("suspect", {}).get("label_rank")
    rank_after = record.get("classify", {}).get("label_rank")
    detection, purification = _seconds(record, _computes_suspicion), _seconds(record, _purifies)
    yield PolicyOutcome("nothing", rank_before, False, None)
    if denoise is None:
        return
    gate = denoise.get("gate")
    suspect = gate["suspect"] if gate else score >= threshold
    if detection is None or (suspect and purification is None):
        seconds = None
    else:
        seconds = detection + (purification or 0.0) * suspect
    yield PolicyOutcome("suspects", rank_after if suspect or gate else rank_before, suspect, seconds)
    if not gate:
        yield PolicyOutcome("everything", rank_after, True, purification)


def _is_checked_after_purification(record: Record) -> bool:
    """Return whether the suspicion is that of the purified image."""
    entries = [entry for entry in record.get("stages", []) if _purifies(entry) or _computes_suspicion(entry)]
    return any(map(_purifies, entries)) and _computes_suspicion(entries[-1])


def _purifies(entry: Mapping[str, Any]) -> bool:
    return entry.get("tool") == "dp-denoise"


def _computes_suspicion(entry: Mapping[str, Any]) -> bool:
    return entry.get("tool") == "dp-classify" and "suspect" in entry.get("params", {})


def _seconds(record: Record, is_meant: Callable[[Mapping[str, Any]], bool]) -> float | None:
    """Return the seconds of the last stage that is meant; None if they are unknown or implausible."""
    entry: Mapping[str, Any] = next(filter(is_meant, reversed(record.get("stages", []))), {})
    seconds = entry.get("seconds")
    return seconds if isinstance(seconds, int | float) and seconds < MAX_SECONDS else None
