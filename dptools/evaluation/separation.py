"""How well a score tells two kinds of samples apart: the ROC curve, and the area under it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Counts = Counter[float]
"""How many samples have which score."""

Z = 1.959964
"""Standard deviations that cover 95 %."""


@dataclass(frozen=True)
class Area:
    """The area under a ROC curve: how probable it is that a positive sample scores higher than a negative one, half of
    the ties counted. Its 95 % interval is that of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988)."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        return {"auc": self.value, "low": self.low, "high": self.high}


def area(negative: Counts, positive: Counts) -> Area | None:
    """Of the scores of both kinds; None where there are none of one."""
    if not negative or not positive:
        return None
    value, above = _placements(positive, negative)
    _, below = _placements(negative, positive)
    error = math.sqrt(above / positive.total() + below / negative.total())
    return Area(value, max(0.0, value - Z * error), min(1.0, value + Z * error))


def curve(negative: Counts, positive: Counts) -> Sequence[tuple[float, float]]:
    """The ROC curve's corners: shares of the negative and of the positive samples that score at least so much."""
    points, false, true = [(0.0, 0.0)], 0, 0
    for score in sorted({*negative, *positive}, reverse=True):
        false, true = false + negative[score], true + positive[score]
        points.append((false / negative.total(), true / positive.total()))
    return points


def _placements(samples: Counts, others: Counts) -> tuple[float, float]:
    """Of each sample, the share of the others that score lower, half of the equal ones counted: their mean, and their
    variance."""
    passed, shares = 0, {}
    for score in sorted({*samples, *others}):
        shares[score] = (passed + others[score] / 2) / others.total()
        passed += others[score]
    n = samples.total()
    mean = sum(count * shares[score] for score, count in samples.items()) / n
    squares = sum(count * (shares[score] - mean) ** 2 for score, count in samples.items())
    return mean, squares / (n - 1) if n > 1 else 0.0
