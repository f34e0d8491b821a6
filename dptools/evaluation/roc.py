"""ROC curves, and the area under them with DeLong's confidence interval."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dptools.evaluation.intervals import Z_95, wilson

NO_ERROR = 1e-9
"""A smaller standard error of an area is a rounding error."""

Scores = Counter[float]
"""Number of samples by score."""


@dataclass(frozen=True)
class Auc:
    """An area under a ROC curve, and the bounds of its 95 % confidence interval.

    It is the probability that a positive sample scores higher than a negative one, with ties counted half.
    """

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Return the area and its interval."""
        return {"auc": self.value, "low": self.low, "high": self.high}


def auc(negative: Scores, positive: Scores) -> Auc | None:
    """Return the area under the ROC curve; None if there are no negative or no positive samples.

    Interval: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 837-845, 1988. It has no width if all positive samples
    score higher, however few they are, and needs two samples of each kind. In these cases, the interval is Wilson's
    for the number of samples of the rarer kind, which is wider than necessary.
    """
    if not negative or not positive:
        return None
    value, positive_variance = _placements(positive, negative)
    _, negative_variance = _placements(negative, positive)
    error = math.sqrt(positive_variance / positive.total() + negative_variance / negative.total())
    rarer = min(positive.total(), negative.total())
    if rarer < 2 or error < NO_ERROR:
        return Auc(value, *wilson(value * rarer, rarer))
    return Auc(value, max(0.0, value - Z_95 * error), min(1.0, value + Z_95 * error))


def roc_curve(negative: Scores, positive: Scores) -> Sequence[tuple[float, float]]:
    """Return the corners of the ROC curve from (0, 0) to (1, 1), as (false positive rate, true positive rate)."""
    corners, false_positives, true_positives = [(0.0, 0.0)], 0, 0
    for score in sorted({*negative, *positive}, reverse=True):
        false_positives += negative[score]
        true_positives += positive[score]
        corners.append((false_positives / negative.total(), true_positives / positive.total()))
    return corners


def _placements(samples: Scores, others: Scores) -> tuple[float, float]:
    """Return the mean and the variance of the placements of samples.

    A sample's placement is the share of the others that score lower, with ties counted half.
    """
    lower, placements = 0, {}
    for score in sorted({*samples, *others}):
        placements[score] = (lower + others[score] / 2) / others.total()
        lower += others[score]
    n = samples.total()
    mean = sum(count * placements[score] for score, count in samples.items()) / n
    squares = sum(count * (placements[score] - mean) ** 2 for score, count in samples.items())
    return mean, squares / (n - 1) if n > 1 else 0.0
