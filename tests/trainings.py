"""Runs of the denoiser's training for tests."""

import copy
import random

import torch

from dptools.purifiers.denoiser import DenoiserUNet
from dptools.purifiers.denoiser.training.state import State


def new_run() -> State:
    """Return a run that begins, always with the same weights."""
    torch.manual_seed(0)
    network = DenoiserUNet()
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    return State(network, copy.deepcopy(network), optimizer, random.Random(0))
