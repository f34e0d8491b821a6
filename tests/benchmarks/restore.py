"""What dp-denoise restores, and in what time, beside filters and the paper's network: `make bench`.

Reads the records of `dp-attack -a all ...` and restores each attacked image, and each clean one, by each
method; a method is a preset of dp-denoise or a filter. Every image is done in one thread, on as many processes as asked
for. One run gives:

accuracy   a line for each method: core-seconds and iterations an image; the mean of the attacks' shares whose label is
           the most probable class, and among the five most probable, with intervals; then both for the clean images
           and each attack, whose Wilson intervals are in the JSON file
steps      seconds an iteration of each network, in each precision and number of threads, and how many times as fast it
           is as the paper's network in float32, eager and contiguous
processes  images a second of two processes to those of one
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dptools.classifiers import Classifier, load, rank
from dptools.evaluation.intervals import Rate
from dptools.purifiers.dip import PRESETS, restore
from dptools.purifiers.dip.hourglass import paper
from dptools.purifiers.dip.losses import MSE
from dptools.purifiers.dip.networks import NETWORKS, make_network
from dptools.purifiers.dip.reconstruction import reconstruct
from dptools.purifiers.filters import apply, parse_filter

FILTERS = ("jpeg:75", "jpeg:50", "median:3", "bilateral", "tv", "nlm", "bits:4")
METHODS = ("none", "default", "photo", *FILTERS, "cold")

SLOW = {"cold": 3, "paper": 1}
"""Images at the most, of methods that take a quarter of a minute or of an hour for each."""


@dataclass(frozen=True)
class Case:
    """An image of known class, and the attack that made it; ``clean`` for none."""

    path: str
    label: int
    attack: str
    source: str


@dataclass(frozen=True)
class Result:
    """A case restored."""

    case: Case
    rank: int
    seconds: float
    iterations: int


def cases(records: Path, part: str, most: int | None) -> list[Case]:
    """Those whose clean image the classifier gets right, and whose attack succeeded; every second source for a part."""
    found = [json.loads(line) for line in records.read_text().splitlines()]
    sources = sorted({record["source"] for record in found})
    chosen = {"all": sources, "even": sources[::2], "odd": sources[1::2]}[part][:most]
    right = [record for record in found if record["source"] in chosen and record.get("attack", {}).get("success")]
    clean = {each["source"]: Case(each["source"], each["label"], "clean", each["source"]) for each in right}
    attacked = [Case(each["path"], each["label"], each["attack"]["name"], each["source"]) for each in right]
    return [*clean.values(), *attacked]


def few(work: Sequence[Case], most: int | None) -> list[Case]:
    """The cases of so many images."""
    chosen = sorted({case.source for case in work})[:most]
    return [case for case in work if case.source in chosen]


@cache
def classifier() -> Classifier:
    torch.set_num_threads(1)
    return load("efficientnet-lite0", device="cpu")


def one(method: str, case: Case) -> Result:
    """Restore one image and ask the classifier, of the image as it would be saved."""
    model = classifier()
    pixels = model.geometry(np.asarray(Image.open(case.path).convert("RGB")))
    start = time.process_time()
    restored, iterations = by(method, pixels)
    seconds = time.process_time() - start
    found = model.probabilities(model.tensor(restored))[0]
    return Result(case, rank(found, case.label), seconds, iterations)


def by(method: str, pixels: Any) -> tuple[Any, int]:
    """An image restored by a method, and after how many iterations."""
    if method == "none":
        return pixels, 0
    if method not in PRESETS:
        return apply(parse_filter(method), pixels), 0
    image = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    done = restore(image, method, seed=0)
    return (done.image[0] * 255).round().byte().permute(1, 2, 0).numpy(), done.iterations


def accuracy(results: Sequence[Result]) -> dict[str, Any]:
    """One method's line."""
    ranks = defaultdict(list)
    for result in results:
        ranks[result.case.attack].append(result.rank)
    shares = {
        attack: {f"top{k}": Rate(sum(rank <= k for rank in found), len(found)).as_json() for k in (1, 5)}
        for attack, found in ranks.items()
    }
    return {
        "core_seconds": statistics.fmean(result.seconds for result in results),
        "iterations": statistics.fmean(result.iterations for result in results),
        "images": len({result.case.source for result in results}),
        **{f"top{k}": mean(results, k) for k in (1, 5)},
        "by_attack": shares,
    }


def mean(results: Sequence[Result], k: int, times: int = 1000) -> dict[str, float]:
    """The mean of the attacks' shares, and its 95 % interval: the attacks on one image have a fate in common, so whole
    images are drawn again (bootstrap, percentiles)."""
    attacked = [result for result in results if result.case.attack != "clean"]
    attacks = sorted({result.case.attack for result in attacked})
    sources = sorted({result.case.source for result in attacked})
    right, seen = (np.zeros((len(sources), len(attacks))) for _ in range(2))
    for result in attacked:
        place = sources.index(result.case.source), attacks.index(result.case.attack)
        right[place], seen[place] = result.rank <= k, 1
    draws = np.random.default_rng(0).integers(len(sources), size=(times, len(sources)))
    again = (right[draws].sum(1) / np.maximum(1, seen[draws].sum(1))).mean(1)
    low, high = np.quantile(again, (0.025, 0.975))
    return {"rate": float((right.sum(0) / seen.sum(0)).mean()), "low": float(low), "high": float(high)}


def line(method: str, found: dict[str, Any]) -> str:
    shares = [
        f"{attack} {100 * rates['top1']['rate']:.0f}/{100 * rates['top5']['rate']:.0f}"
        for attack, rates in found["by_attack"].items()
    ]
    head = f"{method:10} {found['core_seconds']:8.3f} s {found['iterations']:5.0f} it"
    means = [
        f"{100 * rate['rate']:.1f} [{100 * rate['low']:.0f}-{100 * rate['high']:.0f}]"
        for rate in (found["top1"], found["top5"])
    ]
    return f"{head}  {found['images']} images, mean {' / '.join(means)}  {'  '.join(shares)}"


def steps(side: int = 224) -> Iterator[dict[str, Any]]:
    """Seconds an iteration; the baseline first."""
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        baseline = timed(plain(image))
        yield {"network": "paper", "precision": "fp32, eager, contiguous", "threads": threads, "seconds": baseline}
        for network in NETWORKS:
            for precision in ("fp32", "bf16"):
                fit = reconstruct(
                    image, make_network(network), MSE(), generator=torch.Generator().manual_seed(0), precision=precision
                )
                seconds = timed(partial(next, fit))
                ratio = {"ratio": baseline / seconds}
                yield {"network": network, "precision": precision, "threads": threads, "seconds": seconds, **ratio}


def plain(image: Tensor) -> Callable[[], object]:
    """An iteration of the paper's network as anyone would write it."""
    network = paper()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    code = network.code(image, torch.Generator().manual_seed(0))

    def step() -> None:
        optimizer.zero_grad()
        (network(code) - image).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def timed(step: Callable[[], object], times: int = 5) -> float:
    step()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        step()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def processes(work: Sequence[Case], counts: Sequence[int] = (1, 2)) -> dict[str, float]:
    """Images a second of the default preset on so many processes."""
    found = {}
    for count in counts:
        with pool(count) as workers:
            list(workers.map(partial(one, "default"), work))  # what is slow the first time, in each of them
            start = time.perf_counter()
            list(workers.map(partial(one, "default"), work))
            found[str(count)] = len(work) / (time.perf_counter() - start)
    return found


def pool(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def main() -> None:
    parser = argparse.ArgumentParser(description="dp-denoise beside filters and the paper's network.")
    parser.add_argument("records", type=Path, help="the records of dp-attack")
    parser.add_argument("--part", choices=("all", "even", "odd"), default="all", help="of the images, by name")
    parser.add_argument("--images", type=int, help="the most images")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    parser.add_argument("--no-steps", action="store_true", help="accuracy only")
    parser.add_argument("methods", nargs="*", default=list(METHODS), help=", ".join([*PRESETS, *FILTERS]))
    options = parser.parse_intermixed_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    work = cases(options.records, options.part, options.images)
    found: dict[str, Any] = {"part": options.part, "images": sum(case.attack == "clean" for case in work)}
    with pool(options.jobs) as workers:
        for method in options.methods:
            done = workers.map(partial(one, method), few(work, SLOW.get(method)), chunksize=4)
            found[method] = accuracy(list(done))
            print(line(method, found[method]), flush=True)
    if not options.no_steps:
        found["steps"] = [show(step) for step in steps()]
        found["processes"] = processes(work[:40])
        print(found["processes"])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def show(step: dict[str, Any]) -> dict[str, Any]:
    print("  ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in step.values()), flush=True)
    return step


if __name__ == "__main__":
    sys.exit(main())
