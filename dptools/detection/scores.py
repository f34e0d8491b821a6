"""How much an image looks like an adversarial one, without training: what a classifier sees in it, against what is seen
at second looks.

A perturbation is made for one network and one image. At a second look, by another network (prediction inconsistency,
arXiv 2506.03765) or at an image that was changed a little (feature squeezing, arXiv 1704.01155), the class that the
attack made tends to be gone. Both papers measure how far the probabilities move. Here it is the lead of the class that
was seen, in the average of all second looks: on the same images that tells more of them apart.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)

CLEAN = {
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
"""The doubt below which a share :data:`LEVELS` of clean images lies, by detector: measured for efficientnet-lite0 on
450 photographs of as many ImageNet classes, right and wrong ones alike (``make bench-suspicion``)."""


def doubt(seen: Tensor, looks: Sequence[Tensor]) -> float:
    """How little of a prediction is left at second looks: from 0, where all are sure of the class that was seen, over
    1/2, where another is as probable, to 1, where all are sure of another.

    Args:
        seen: the probabilities that led to the prediction.
        looks: the probabilities of each second look, over the same classes.
    """
    label = int(seen.argmax())
    mean = torch.stack(list(looks)).mean(dim=0)
    others = mean.clone()
    others[label] = -1
    return float((1 - (mean[label] - others.max())) / 2)


def suspicion(detector: str, doubt: float) -> float:
    """The share of clean images that are doubted less, from 0 to 1: of those, 5 % have a suspicion of .95 or more.

    Args:
        detector: one of :data:`CLEAN`.
    """
    if math.isnan(doubt):  # a network that sees nothing at all vouches for nothing
        return 1.0
    table = CLEAN[detector]
    place = min(bisect_right(table, doubt), len(table) - 1)
    (low, high), (below, above) = table[place - 1 : place + 1], LEVELS[place - 1 : place + 1]
    return min(1.0, max(0.0, below + (above - below) * (doubt - low) / (high - low)))
