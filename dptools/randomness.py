"""Seeds for code that uses the global random states."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch, numpy and random inside the block, and restore their states after it.

    Args:
        seed: 0 <= seed < 2**63.
        device: The device to compute on. If it is a GPU, the state of its generator is restored, too.
    """
    numpy_state, random_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[device] if device and device.type == "cuda" else []):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(random_state)
