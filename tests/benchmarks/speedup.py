"""Measure what a second worker brings: dp-denoise on one and on two, in processes of this machine and on Ray.

python tests/benchmarks/speedup.py IMAGES [--repeats N]

Each figure is of a run of its own, into a directory of its own. What it takes to begin is told by a run on as many
images as there are workers, and left out of the speed-up; Ray's cluster is started once, before all.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dptools.engine.keeper import own_ray
from dptools.pipe.walk import SUFFIXES


@dataclass(frozen=True)
class Measured:
    """What some workers took.

    Attributes:
        begin: seconds for one image each, with all that comes before and after.
        all: seconds for all images.
        rate: images a second, without the beginning.
    """

    begin: float
    all: float
    rate: float


def seconds(images: Sequence[Path], *options: str) -> float:
    """Of one run, from the command to its end."""
    with TemporaryDirectory() as out:
        command = ["dp-denoise", "-o", out, *options, *map(str, images)]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def measured(images: Sequence[Path], workers: int, engine: str, repeats: int) -> Measured:
    options = ("--engine", engine, "-j", str(workers))
    begin, everything = (min(seconds(some, *options) for _ in range(repeats)) for some in (images[:workers], images))
    return Measured(begin, everything, (len(images) - workers) / (everything - begin))


def compare(name: str, images: Sequence[Path], engine: str, repeats: int) -> None:
    one, two = (measured(images, workers, engine, repeats) for workers in (1, 2))
    for workers, each in enumerate((one, two), start=1):
        print(f"{name:<6} -j {workers} {each.begin:>10.2f} {each.all:>10.2f} {each.rate:>10.3f}", flush=True)
    print(f"{name:<6} speed-up {two.rate / one.rate:.2f}, with the beginning {one.all / two.all:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder, with more than two images in it")
    parser.add_argument("--repeats", type=int, default=1, help="of each run, of which the fastest counts")
    options = parser.parse_args()
    images = sorted(path for path in options.images.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(images) < 3:
        parser.error(f"{options.images} has {len(images)} images")
    print(f"{len(images)} images on {len(os.sched_getaffinity(0))} cores")
    print("seconds       to begin     of all   images/s", flush=True)
    compare("local", images, "local", options.repeats)
    start = time.perf_counter()
    with own_ray() as address:
        print(f"Ray started in {time.perf_counter() - start:.1f} s", flush=True)
        compare("ray", images, f"ray:{address}", options.repeats)


if __name__ == "__main__":
    main()
