"""Measure the speed-up of dp-denoise by a second worker, with local processes and with Ray on this machine.

python tests/benchmarks/speedup.py IMAGES [--repeats N]

Each measurement is a new run into a new directory. The start-up time is measured with one image per worker and is not
part of the speed-up. One Ray cluster serves all runs.
"""

import argparse
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from processes import run_tool

from dptools.devices import available_cores
from dptools.pipe.walk import SUFFIXES


@dataclass(frozen=True)
class Timing:
    """The time that a number of workers took.

    Attributes:
        start_up: Seconds for one image per worker.
        total: Seconds for all images.
        rate: Images per second, without the start-up.
    """

    start_up: float
    total: float
    rate: float


def run_seconds(images: Sequence[Path], *options: str) -> float:
    """Return the duration of one run of dp-denoise in seconds."""
    with TemporaryDirectory() as out:
        command = ["dp-denoise", "-o", out, *options, *map(str, images)]
        start = time.perf_counter()
        status = run_tool(command, stdout=subprocess.DEVNULL)
        if status:
            raise SystemExit(f"{command[0]} failed with status {status}")
        return time.perf_counter() - start


def measure(images: Sequence[Path], workers: int, engine: str, repeats: int) -> Timing:
    """Return the timing of the fastest of several runs."""
    options = ("--engine", engine, "-j", str(workers))
    start_up, total = (
        min(run_seconds(subset, *options) for _ in range(repeats)) for subset in (images[:workers], images)
    )
    return Timing(start_up, total, (len(images) - workers) / (total - start_up))


def compare(name: str, images: Sequence[Path], engine: str, repeats: int) -> None:
    """Print the timings of one and of two workers, and the speed-up."""
    one, two = (measure(images, workers, engine, repeats) for workers in (1, 2))
    for workers, timing in enumerate((one, two), start=1):
        print(f"{name:<6} -j {workers} {timing.start_up:>10.2f} {timing.total:>10.2f} {timing.rate:>10.3f}", flush=True)
    print(f"{name:<6} speed-up {two.rate / one.rate:.2f}, with start-up {one.total / two.total:.2f}", flush=True)


def main() -> None:
    """Print the timings of both engines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="directory with more than two images")
    parser.add_argument("--repeats", type=int, default=1, help="number of runs, of which the fastest counts")
    options = parser.parse_args()
    images = sorted(path for path in options.images.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(images) < 3:
        parser.error(f"{options.images} has {len(images)} images")
    cores = available_cores()
    print(f"{len(images)} images on {cores} cores")
    print("seconds       start-up      total   images/s", flush=True)
    compare("local", images, "local", options.repeats)

    from ray.cluster_utils import Cluster

    start = time.perf_counter()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, "include_dashboard": False})
    print(f"Ray started in {time.perf_counter() - start:.1f} s", flush=True)
    try:
        compare("ray", images, f"ray:{cluster.address}", options.repeats)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
