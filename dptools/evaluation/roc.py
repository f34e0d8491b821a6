"""ROC curves, and the area under them with a confidence interval."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dptools.evaluation.image_counts import ImageCounts
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


def auc(negative: ImageCounts[float], positive: ImageCounts[float]) -> Auc | None:
    """Return the area under the ROC curve; None if there are no negative or no positive samples.

    The interval is that of Obuchowski (Biometrics 53, 567-578, 1997), which takes into account that samples of one
    image are not independent. If each image has one sample, it is that of DeLong, DeLong and Clarke-Pearson (Biometrics
    44, 837-845, 1988). It has no width if all positive samples score higher, however few they are, and needs two images
    of each kind. In these cases, the interval is Wilson's for the number of images of the rarer kind, which is wider
    than necessary.

    Args:
        negative: Number of negative samples by score, for each image.
        positive: Number of positive samples by score, for each image.
    """
    negatives, positives = negative.total(), positive.total()
    if not negatives or not positives:
        return None
    above = _placements(positives, negatives)
    below = {score: 1 - placement for score, placement in _placements(negatives, positives).items()}
    value = sum(count * above[score] for score, count in positives.items()) / positives.total()
    of_positive, of_negative = _deviations(positive, above, value), _deviations(negative, below, value)
    products = [of_positive[image] * of_negative[image] for image in of_positive.keys() & of_negative.keys()]
    squares = [[deviation**2 for deviation in each.values()] for each in (of_positive, of_negative)]
    variance = sum(map(_unbiased_sum, squares)) + 2 * _unbiased_sum(products)
    error = math.sqrt(max(0.0, variance))
    rarer = min(len(negative.clusters), len(positive.clusters))
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


def _placements(samples: Scores, others: Scores) -> dict[float, float]:
    """Return the placement of each score among samples: the share of the others that score lower; ties count half."""
    lower, placements = 0, {}
    for score in sorted({*samples, *others}):
        placements[score] = (lower + others[score] / 2) / others.total()
        lower += others[score]
    return placements


def _deviations(samples: ImageCounts[float], placements: Mapping[float, float], mean: float) -> dict[int, float]:
    """Return what each image adds to the error of the mean placement."""
    number = samples.total().total()
    return {
        image: sum(count * (placements[score] - mean) for score, count in scores.items()) / number
        for image, scores in samples.clusters.items()
    }


def _unbiased_sum(values: Sequence[float]) -> float:
    """Return the sum of values, one for each image, corrected for the estimated mean; 0 for one image."""
    return sum(values) * len(values) / (len(values) - 1) if len(values) > 1 else 0.0
