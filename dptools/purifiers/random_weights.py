"""Random weights from a seed, independent of other random numbers from the same seed."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)

WEIGHTS_STREAM = 0x2545F491
"""Separates the seed of the weights from that of other random numbers, as ``OTHER_STREAM`` in ``certify/noisy.py``.

The two constants differ, so that weights do not share their seed with the noise of randomised smoothing either.
"""


def with_random_weights(make: Callable[[], ModuleT], seed: int) -> ModuleT:
    """Return the module that ``make`` returns, with random weights from a seed.

    Seeded with ``seed`` itself, the weights would repeat the numbers of the network's input, or of the noise in it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed ^ WEIGHTS_STREAM)  # seeds the CPU's generator only, not CUDA's
        return make()
