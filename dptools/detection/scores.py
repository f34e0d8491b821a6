"""Disagreement scores of images, and their calibration on clean images. Nothing is trained.

An adversarial perturbation is made for one network and one image. A view is a prediction that changes one of the two:
the prediction of another network (prediction inconsistency, arXiv 2506.03765) or the prediction for a slightly changed
image (feature squeezing, arXiv 1704.01155). Views often do not confirm the class that the attack produced.

Both papers measure the change of the probabilities. The disagreement score instead uses the margin of the predicted
class in the mean of all views. On the same images, this separated clean and attacked images better.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

QUANTILE_LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)
"""Fractions of clean images for which :data:`CLEAN_QUANTILES` holds a score."""

CLEAN_QUANTILES = {
    "disagreement": (
        *(0.0, 0.0754, 0.1116, 0.1432, 0.1712, 0.2038, 0.2503, 0.3084, 0.3775),
        *(0.4276, 0.477, 0.5029, 0.5349, 0.5701, 0.6234, 1.0),
    ),
    "squeezing": (
        *(0.0, 0.0183, 0.0355, 0.0565, 0.0864, 0.1386, 0.1978, 0.2858, 0.3607),
        *(0.3959, 0.4384, 0.456, 0.4769, 0.5152, 0.5514, 1.0),
    ),
    "both": (
        *(0.0, 0.0453, 0.068, 0.0861, 0.1149, 0.1607, 0.2203, 0.2904, 0.3656),
        *(0.408, 0.4352, 0.4564, 0.4863, 0.5072, 0.5386, 1.0),
    ),
}
"""Quantiles of the disagreement score of clean images, by detector, at :data:`QUANTILE_LEVELS`.

They were measured for efficientnet-lite0 on 450 photographs, each of a different ImageNet class. Photographs that the
network classifies wrongly are included (``make bench-suspicion``).
"""


def disagreement_score(probabilities: Tensor, views: Sequence[Tensor]) -> float:
    """Return the disagreement score of an image: how far other views disagree with its prediction.

    The score is (1 - (p[c] - p[d])) / 2. Here p is the mean of the views, c is the predicted class, and d is the most
    probable other class in p.

    Args:
        probabilities: the prediction for the image, shape (classes,).
        views: the prediction of each view, over the same classes.

    Returns:
        A score in [0, 1]: 0, all views confirm the class; 0.5, a tie; 1, all prefer another class.
    """
    label = int(probabilities.argmax())
    mean = torch.stack(list(views)).mean(dim=0)
    others = mean.clone()
    others[label] = -1
    return float((1 - (mean[label] - others.max())) / 2)


def calibrated_score(detector: str, score: float) -> float:
    """Return the fraction of clean images with a lower disagreement score.

    The result has the same meaning for every detector: 5 % of clean images have a calibrated score of 0.95 or more.

    Args:
        detector: the detector that computed the score, a key of :data:`CLEAN_QUANTILES`.
        score: a disagreement score in [0, 1]. It is NaN if a network has invalid output; the result is then 1.

    Returns:
        A fraction in [0, 1], linearly interpolated between the measured quantiles.
    """
    if math.isnan(score):
        return 1.0
    quantiles = CLEAN_QUANTILES[detector]
    upper = min(bisect_right(quantiles, score), len(quantiles) - 1)
    low, high = quantiles[upper - 1 : upper + 1]
    low_level, high_level = QUANTILE_LEVELS[upper - 1 : upper + 1]
    return min(1.0, max(0.0, low_level + (high_level - low_level) * (score - low) / (high - low)))
