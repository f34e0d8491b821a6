"""Measure steps per second of `paper` and `dip` beside the published code of the deep image prior (`make bench-prior`).

The published code is https://github.com/DmitryUlyanov/deep-image-prior; the script takes a checkout of it. Its step is
that of the denoising example: the skip network of five scales of 128 channels, noise on the input, Adam, and a moving
average of the outputs. Steps of `paper` differ in the activation (Swish) and have no noise on the input.

The methods take turns, in blocks of steps of one image of random pixels, on one thread. The time is that of the
processor, so that other processes matter less. Ratios are medians over the rounds, in brackets their smallest and
largest value.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import torch
from torch.nn.functional import mse_loss

from dptools.purifiers.dip import steps
from dptools.purifiers.dip.settings import FIT_SETTINGS

INPUT_NOISE = 1 / 30
AVERAGE = 0.99
LEARNING_RATE = 0.01
DEPTH = 32


def upstream(image: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the moving average of the published code's outputs after each step."""
    from models import get_net  # type: ignore[import-not-found]

    widths = {"skip_n33d": 128, "skip_n33u": 128, "skip_n11": 4, "num_scales": 5}
    network = get_net(DEPTH, "skip", "reflection", upsample_mode="bilinear", **widths)
    z = 0.1 * torch.rand(1, DEPTH, *image.shape[-2:])
    noise = torch.empty_like(z)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    average = torch.zeros_like(image)
    while True:
        optimizer.zero_grad()
        output = network(z + INPUT_NOISE * noise.normal_())
        average = AVERAGE * average + (1 - AVERAGE) * output.detach()
        mse_loss(output, image).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield average


def seconds(fit: Iterator[object], count: int) -> float:
    """Return the processor time of one step, as a mean over a number of steps."""
    start = time.process_time()
    for _ in islice(fit, count):
        pass
    return (time.process_time() - start) / count


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("upstream", type=Path, help="checkout of the published code")
    parser.add_argument("--side", type=int, default=224, help="side of the image, in pixels; a multiple of 32")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if not (options.upstream / "models/skip.py").exists():
        parser.error(f"{options.upstream} is no checkout of the published code: models/skip.py is missing")
    sys.path.insert(0, str(options.upstream))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    image = torch.rand(1, 3, options.side, options.side)
    fits: dict[str, Iterator[object]] = {"published code": upstream(image)}
    fits |= {name: steps(image, settings, seed=0) for name, settings in FIT_SETTINGS.items()}
    blocks = {name: 10 if name == "dip" else 1 for name in fits}  # steps of about the same time in all
    for fit in fits.values():
        next(fit)  # the first step allocates memory
    taken = [{name: seconds(fit, blocks[name]) for name, fit in fits.items()} for _ in range(options.rounds)]
    print("| method | steps per second | speed beside the published code |")
    print("| --- | --- | --- |")
    for name in fits:
        ratios = sorted(times["published code"] / times[name] for times in taken)
        pace = 1 / median(times[name] for times in taken)
        print(f"| {name} | {pace:.2f} | {median(ratios):.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}] |")


if __name__ == "__main__":
    main()
