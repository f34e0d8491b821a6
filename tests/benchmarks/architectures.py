"""Train several denoising networks for the same time, and compare them on fixed validation images.

Every network gets the same photographs, kinds of noise and schedule, and the same time on the same processor. The
learning curve goes to standard output as JSON Lines. A table follows at the end. Interrupted runs resume.
"""

import argparse
import copy
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from dptools.purifiers.denoiser.network import DenoiserUNet
from dptools.purifiers.denoiser.training.images import read_tiles
from dptools.purifiers.denoiser.training.loop import Schedule, Synthetic, train
from dptools.purifiers.denoiser.training.state import State
from dptools.purifiers.denoiser.training.validation import read_images, validate


class HalfResolution(DenoiserUNet):
    """The denoiser with another network at half resolution."""

    def __init__(self, width: int, body: nn.Module) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(12, width, 3, padding=1), nn.Conv2d(width, 12, 3, padding=1)
        self.body = body


def ffdnet(width: int = 48, depth: int = 10) -> nn.Module:
    """Return a plain stack of convolutions at half resolution (Zhang et al., arXiv 1710.04026), without noise level."""
    layers: list[nn.Module] = [nn.ReLU(inplace=True)]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
        nn.init.kaiming_normal_(cast(Tensor, layers[-2].weight), nonlinearity="relu")  # it does not train without
    return HalfResolution(width, nn.Sequential(*layers))


class NAFBlock(nn.Module):
    """The block of NAFNet (Chen et al., arXiv 2204.04676): no activation functions, but products of channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2))
        self.expand, self.spatial = (
            nn.Conv2d(width, 2 * width, 1),
            nn.Conv2d(2 * width, 2 * width, 3, 1, 1, 1, 2 * width),
        )
        self.attention, self.project = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.wide, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.scales = nn.ParameterList(nn.Parameter(torch.zeros(1, width, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        first, second = self.spatial(self.expand(self.norms[0](x))).chunk(2, 1)
        gated = first * second
        x = x + self.scales[0] * self.project(gated * self.attention(gated.mean((2, 3), keepdim=True)))
        first, second = self.wide(self.norms[1](x)).chunk(2, 1)
        changed: Tensor = x + self.scales[1] * self.narrow(first * second)
        return changed


class NAFLevel(nn.Module):
    """One level of a U-net of such blocks."""

    def __init__(self, width: int, below: int, inner: nn.Module) -> None:
        super().__init__()
        self.into, self.out = nn.Sequential(NAFBlock(width), NAFBlock(width)), NAFBlock(width)
        self.down, self.up = nn.Conv2d(width, below, 2, 2), nn.ConvTranspose2d(below, width, 2, 2)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        x = self.into(x)
        merged: Tensor = self.out(x + self.up(self.inner(self.down(x))))
        return merged


def nafnet(widths: tuple[int, int, int] = (32, 64, 128)) -> nn.Module:
    """Return a NAFNet at half resolution."""
    lowest = nn.Sequential(*(NAFBlock(widths[2]) for _ in range(4)))
    body = NAFLevel(widths[0], widths[1], NAFLevel(widths[1], widths[2], lowest))
    return HalfResolution(widths[0], body)


NETWORKS: dict[str, Callable[[], nn.Module]] = {"unet": DenoiserUNet, "ffdnet": ffdnet, "nafnet": nafnet}


def milliseconds(network: nn.Module) -> float:
    """Return the shortest time of ten passes over one image of 224 x 224 pixels, on one thread."""
    image, times = torch.rand(1, 3, 224, 224).contiguous(memory_format=torch.channels_last), []
    with torch.no_grad():
        for _ in range(10):
            start = time.perf_counter()
            network(image)
            times.append(time.perf_counter() - start)
    return 1000 * min(times)


def run(name: str, share: float, options: argparse.Namespace, photographs: Tensor, images: Tensor) -> dict[str, object]:
    """Train one network, and return its figures."""
    torch.manual_seed(options.seed)
    network = NETWORKS[name]()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4, fused=True)
    state = State(network, copy.deepcopy(network), optimizer, random.Random(options.seed))
    folder = options.out / f"{name}-{share:g}"
    state.load(folder)
    schedule = Schedule(10**9, 60 * options.minutes, options.rate)
    settings = {"batch": 16, "share": share, "renew_every": 20, "report_every": options.report_every}
    renewals = state.progress.iteration // settings["renew_every"]
    synthetic = Synthetic(192, torch.device("cpu"), 1, seed=options.seed, renewals=renewals) if share else None
    used = photographs if share < 1 else None

    def figures() -> dict[str, object]:
        return {"network": name, "synthetic": share, **vars(state.progress), **validate(state.average, images)}

    for loss in train(state, used, synthetic, schedule, **settings):
        state.save(folder)
        print(json.dumps(figures() | {"loss": round(loss, 6)}), flush=True)
    count = sum(value.numel() for value in network.parameters()) / 1e6
    return figures() | {"weights (million)": round(count, 2), "ms per pass": round(milliseconds(network.eval()), 1)}


def main() -> None:
    """Train the networks one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--photographs", type=Path, required=True)
    add("--validation", type=Path, required=True)
    add("-o", "--out", type=Path, required=True)
    add("--minutes", type=float, default=12)
    add("--rate", type=float, default=1e-3)
    add("--report-every", type=int, default=200)
    add("--seed", type=int, default=0)
    add("--runs", nargs="+", default=["unet:0.25", "ffdnet:0.25", "nafnet:0.25"], metavar="NETWORK:SYNTHETIC")
    options = parser.parse_args()
    torch.set_num_threads(1)
    photographs, images = read_tiles(options.photographs), read_images(options.validation)
    rows = []
    for text in options.runs:
        name, _, share = text.partition(":")
        rows.append(run(name, float(share), options, photographs, images))
    for row in rows:
        print("| " + " | ".join(f"{key}: {value}" for key, value in row.items()) + " |")


if __name__ == "__main__":
    main()
