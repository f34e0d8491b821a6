"""The weights that the warm network starts from, fitted to noisy photographs: ``python -m dptools.purifiers.dip.training``."""

import argparse
import copy
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from dptools.purifiers.denoiser.warm import Guided
from dptools.purifiers.dip.corruption import corrupt
from dptools.purifiers.dip.photographs import Pixels, piece, read
from dptools.purifiers.precision import autocast

BATCH = 12
RATE = 1e-3
EVERY = 500
"""Iterations from one look, and one saving of the weights, to the next."""


def train(
    photographs: list[Pixels], network: nn.Module, iterations: int, draw: random.Random, *, rate: float = RATE
) -> Iterator[tuple[int, float, nn.Module]]:
    """Teach a network to take noise off pieces of photographs.

    The loss is the absolute error with a soft corner (Charbonnier et al., 1994); the rate falls along a cosine.

    Args:
        network: images B x 3 x H x W to images; trained in place.
        iterations: how many batches it sees.
        rate: AdamW's, at its highest.

    Yields:
        Every now and then, and at the end: the iteration, its loss, and a network with the moving average of the
        weights, which is what to keep.
    """
    network = network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4, fused=True)
    for iteration in range(1, iterations + 1):
        for group in optimizer.param_groups:
            falling = (1 + math.cos(math.pi * iteration / iterations)) / 2
            group["lr"] = rate * min(1, iteration / 200) * (0.01 + 0.99 * falling)
        loss = _step(network, optimizer, torch.stack([piece(photographs, draw) for _ in range(BATCH)]), draw)
        with torch.no_grad():
            for kept, new in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, max(0.001, 20 / (iteration + 20)))
        if iteration % EVERY == 0 or iteration == iterations:
            yield iteration, loss, average


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, clean: Tensor, draw: random.Random) -> float:
    noisy = torch.stack([corrupt(image, draw) for image in clean])
    optimizer.zero_grad()
    with autocast(clean.device, "auto"):
        output = network(noisy)
    loss = ((output.float() - clean).square() + 1e-6).sqrt().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return float(loss.item())


def main() -> None:
    """Read photographs, train, and write the weights as 16-bit floats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, help="folder of photographs; those with transparency are cut-outs")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the weights")
    parser.add_argument("--iterations", type=int, default=26_000)
    parser.add_argument("--rate", type=float, default=RATE, help="AdamW's learning rate, at its highest")
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    draw, network = random.Random(given.seed), Guided()
    if given.start:
        state = torch.load(given.start, weights_only=True)
        network.load_state_dict({name: value.float() for name, value in state.items()})
    try:
        photographs = read(given.photographs, draw)
    except ValueError as error:
        parser.error(str(error))
    for iteration, loss, trained in train(photographs, network, given.iterations, draw, rate=given.rate):
        torch.save({name: value.half() for name, value in trained.state_dict().items()}, given.out)
        print(f"{iteration} of {given.iterations} iterations, loss {loss:.4f}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
