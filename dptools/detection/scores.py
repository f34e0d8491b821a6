"""Disagreement scores of images, and their calibration on clean images. Nothing is trained.

An adversarial perturbation is made for one network and one image. A view is a prediction that changes one of the two:
the prediction of another network (prediction inconsistency, arXiv 2506.03765) or the prediction for a slightly changed
image (feature squeezing, arXiv 1704.01155). Views often do not confirm the class that the attack produced.

Both papers measure the change of the probabilities. The disagreement score instead uses the margin of the predicted
class in the mean of all views. On the same images, this separated clean and attacked images better.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor

from dptools.detection.quantiles import CLEAN_QUANTILES, QUANTILE_LEVELS


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


def calibrated_score(detector: str, score: float, quantiles: Sequence[float] | None = None) -> float:
    """Return the fraction of clean images with a lower disagreement score.

    The result has the same meaning for every detector: 5 % of clean images have a calibrated score of 0.95 or more.

    Args:
        detector: the detector that computed the score, a key of :data:`CLEAN_QUANTILES`.
        score: a disagreement score in [0, 1]. It is NaN if a network has invalid output; the result is then 1.
        quantiles: scores of clean images at :data:`QUANTILE_LEVELS`, not decreasing; None for those of the detector.

    Returns:
        A fraction in [0, 1], linearly interpolated between the measured quantiles.
    """
    if math.isnan(score):
        return 1.0
    quantiles = CLEAN_QUANTILES[detector] if quantiles is None else quantiles
    upper = min(bisect_left(quantiles, score), len(quantiles) - 1)
    if upper == 0 or quantiles[upper] == score:  # of equal quantiles, the first: the others are not lower
        return QUANTILE_LEVELS[upper]
    low, high = quantiles[upper - 1 : upper + 1]
    low_level, high_level = QUANTILE_LEVELS[upper - 1 : upper + 1]
    return min(1.0, max(0.0, low_level + (high_level - low_level) * (score - low) / (high - low)))
