"""The measures of the ICDAR 2025 competition on historical map text (MapText), for single words.

Source: the competition's description at https://rrc.cvc.uab.es/?ch=32 and its evaluation program. Words are matched one
to one by an optimal assignment, if their intersection over union (IoU) exceeds 0.5.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dptools.maps.ground_truth import TrueWord
from dptools.maps.merging import MIN_IOU, iou
from dptools.maps.scoring import Score, as_polygon, edit_distance

IGNORED_VALUE = 1e-12
"""Value of a match with a word that does not count. Other matches are preferred."""


@dataclass
class DetectionScore(Score):
    """Counts and sums of the task "word detection".

    Attributes:
        overlap: Sum of the IoU of the matched words.
    """

    overlap: float = 0.0

    @property
    def tightness(self) -> float:
        """Mean IoU of the matched words; 0 if there are none."""
        return self.overlap / self.found if self.found else 0.0

    @property
    def quality(self) -> float:
        """F times tightness: the panoptic detection quality (PDQ)."""
        return (self.f or 0.0) * self.tightness

    @property
    def hmean(self) -> float:
        """The harmonic mean by which the competition ranks: of recall, precision and tightness."""
        return statistics.harmonic_mean(self._ranked)

    @property
    def _ranked(self) -> list[float]:
        return [self.recall or 0.0, self.precision or 0.0, self.tightness]


@dataclass
class ReadingScore(DetectionScore):
    """Counts and sums of the task "word detection and recognition". Words are matched by IoU and text.

    Attributes:
        likeness: Sum over the matched words of 1 - edit distance / length of the longer text. Case counts.
    """

    likeness: float = 0.0

    @property
    def characters(self) -> float:
        """Character accuracy: mean likeness of the matched words; 0 if there are none."""
        return self.likeness / self.found if self.found else 0.0

    @property
    def character_quality(self) -> float:
        """Quality times character accuracy: the panoptic character quality (PCQ)."""
        return self.quality * self.characters

    @property
    def _ranked(self) -> list[float]:
        return [*super()._ranked, self.characters]


def score_detection(truth: Sequence[TrueWord], words: Sequence[Mapping[str, Any]]) -> DetectionScore:
    """Return the score of the outlines of words.

    Args:
        truth: The words on the map. A word that is ignored, and what is matched with it, does not count.
        words: Detected words as mappings with ``text`` and ``polygon``.
    """
    return _match(truth, words, lambda *_: 1.0)[0]


def score_reading(truth: Sequence[TrueWord], words: Sequence[Mapping[str, Any]]) -> ReadingScore:
    """Return the score of the outlines and texts of words; see :func:`score_detection`."""

    def likeness(i: int, j: int) -> float:
        one, other = truth[i].text, str(words[j]["text"])
        return 1 - edit_distance(one, other) / max(len(one), len(other), 1)

    score, matches = _match(truth, words, likeness)
    return ReadingScore(**vars(score), likeness=sum(likeness(*match) for match in matches))


def _match(
    truth: Sequence[TrueWord], words: Sequence[Mapping[str, Any]], factor: Callable[[int, int], float]
) -> tuple[DetectionScore, list[tuple[int, int]]]:
    """Return the score of the outlines for the matches of the greatest total value, and the matches that count.

    The value of a match is its IoU times its factor.
    """
    from scipy.optimize import linear_sum_assignment

    outlines = [as_polygon(word["polygon"]) for word in words]
    overlaps = np.array([[iou(word.outline, other) for other in outlines] for word in truth])
    overlaps = overlaps.reshape(len(truth), len(words))
    values = np.full(overlaps.shape, -1.0)
    for i, j in zip(*np.nonzero(overlaps > MIN_IOU), strict=True):
        values[i, j] = IGNORED_VALUE if truth[i].ignored else overlaps[i, j] * factor(int(i), int(j))
    pairs = [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(values, maximize=True), strict=True)]
    matches = [pair for pair in pairs if overlaps[pair] > MIN_IOU]
    counted = [pair for pair in matches if not truth[pair[0]].ignored]
    expected, ignored = sum(not word.ignored for word in truth), len(matches) - len(counted)
    overlap = float(sum(overlaps[pair] for pair in counted))
    return DetectionScore(expected, len(words) - ignored, len(counted), overlap), counted
