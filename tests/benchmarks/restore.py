"""Compare the methods of dp-denoise: accuracy, time per image and speed of the networks (`make bench`).

The input is the records of `dp-attack -a all ...`. Each attacked image and each clean one is purified by each method.
Every process uses one thread. One run measures:

accuracy   one line per method: core-seconds and iterations per image; top-1 and top-5 accuracy as means over the
           attacks, with 95 % bootstrap intervals over images; then both for clean images and for each attack. The JSON
           file has Wilson intervals of the latter.
steps      seconds per iteration of each network of a deep image prior, for each precision and number of threads, and
           the speed-up over the paper's network in float32, contiguous layout
processes  images per second of two processes and of one
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import process_pool
from torch import Tensor

from dptools.classifiers import Classifier, load, rank
from dptools.devices import available_cores
from dptools.evaluation.intervals import Rate
from dptools.pipe.image import decode
from dptools.purifiers import DEFAULT, DeepImagePrior, Purifier
from dptools.purifiers import load as load_purifier
from dptools.purifiers.dip.loop import steps as fit_steps
from dptools.purifiers.dip.networks import random_network
from dptools.purifiers.dip.settings import NETWORKS, FitSettings
from dptools.purifiers.dip.stopping import Fixed
from dptools.purifiers.method import METHODS

FILTERS = ("jpeg:75", "jpeg:50", "median:3", "bilateral", "tv", "nlm", "bits:4")
BENCHMARKED = ("none", "denoiser", "fast", "photo", "zero-shot", *FILTERS, "dip")

# The largest number of source images for methods that take from fifteen seconds to an hour per image.
MAX_IMAGES = {"dip": 3, "paper": 1}

BOOTSTRAP_SAMPLES = 1000


@dataclass(frozen=True)
class Case:
    """An image of known class.

    Attributes:
        attack: The attack that made the image; ``clean`` for none.
        source: The clean image.
    """

    path: str
    label: int
    attack: str
    source: str


@dataclass(frozen=True)
class Result:
    """A purified case: the rank of its label, and the core-seconds and iterations that it took."""

    case: Case
    rank: int
    seconds: float
    iterations: int


def load_cases(records: Path, part: str, max_images: int | None) -> list[Case]:
    """Return the successfully attacked images and their sources; `even` and `odd` select every second source."""
    parsed = [json.loads(line) for line in records.read_text().splitlines()]
    sources = sorted({record["source"] for record in parsed})
    chosen = {"all": sources, "even": sources[::2], "odd": sources[1::2]}[part][:max_images]
    attacked = [record for record in parsed if record["source"] in chosen and record.get("attack", {}).get("success")]
    clean = {record["source"]: _case(record, record["source"], "clean") for record in attacked}
    return [*clean.values(), *(_case(record, record["path"], record["attack"]["name"]) for record in attacked)]


def _case(record: dict[str, Any], path: str, attack: str) -> Case:
    return Case(path, record["label"], attack, record["source"])


def limit_sources(cases: Sequence[Case], max_images: int | None) -> list[Case]:
    """Return the cases of the first source images."""
    chosen = sorted({case.source for case in cases})[:max_images]
    return [case for case in cases if case.source in chosen]


@cache
def classifier(name: str) -> Classifier:
    """Return the classifier of this process, which computes with one thread."""
    torch.set_num_threads(1)
    return load(name, device="cpu")


@cache
def purifier(method: str) -> Purifier:
    """Return the purifier of this process. Its first call, which loads networks and libraries, is not measured."""
    module = load_purifier(method)
    if not isinstance(module, DeepImagePrior):  # its first step takes as long as the others
        with torch.no_grad():
            module(torch.full((1, 3, 16, 16), 0.5), seeds=[0])
    return module


def run_case(method: str, case: Case, model_name: str = "efficientnet-lite0") -> Result:
    """Purify an image and classify the result as an 8-bit image."""
    model = classifier(model_name)
    pixels = model.geometry(decode(Path(case.path).read_bytes()).pixels)
    image = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    if method != "none":
        purifier(method)
    start = time.process_time()
    purified, iterations = purify(method, image)
    seconds = time.process_time() - start
    output = (purified[0] * 255).round().byte().permute(1, 2, 0).numpy()
    return Result(case, rank(model.probabilities(model.tensor(output))[0], case.label), seconds, iterations)


def purify(method: str, image: Tensor) -> tuple[Tensor, int]:
    """Return the purified image and the number of iterations, which is 0 for methods that fit nothing."""
    if method == "none":
        return image, 0
    module = purifier(method)
    if isinstance(module, DeepImagePrior):
        result = module.restore(image, seed=0)
        return result.image, result.iterations
    with torch.no_grad():
        return module(image, seeds=[0]), 0


def summarise(results: Sequence[Result]) -> dict[str, Any]:
    """Return the accuracy and the time of one method."""
    ranks = defaultdict(list)
    for result in results:
        ranks[result.case.attack].append(result.rank)
    rates = {
        attack: {f"top{k}": Rate(sum(rank <= k for rank in values), len(values)).as_json() for k in (1, 5)}
        for attack, values in ranks.items()
    }
    return {
        "core_seconds": statistics.fmean(result.seconds for result in results),
        "iterations": statistics.fmean(result.iterations for result in results),
        "images": len({result.case.source for result in results}),
        **{f"top{k}": mean_over_attacks(results, k) for k in (1, 5)},
        "by_attack": rates,
    }


def mean_over_attacks(results: Sequence[Result], k: int) -> dict[str, float]:
    """Return the mean of the attacks' top-k accuracies with a 95 % percentile bootstrap interval.

    The bootstrap draws source images, because the attacks on one image are not independent.
    """
    attacked = [result for result in results if result.case.attack != "clean"]
    attacks = sorted({result.case.attack for result in attacked})
    sources = sorted({result.case.source for result in attacked})
    correct, total = (np.zeros((len(sources), len(attacks))) for _ in range(2))
    for result in attacked:
        cell = sources.index(result.case.source), attacks.index(result.case.attack)
        correct[cell], total[cell] = result.rank <= k, 1
    draws = np.random.default_rng(0).integers(len(sources), size=(BOOTSTRAP_SAMPLES, len(sources)))
    counts = total[draws].sum(1)  # a resample may have no image of a rare attack
    means = np.nanmean(np.divide(correct[draws].sum(1), counts, where=counts > 0, out=np.full(counts.shape, np.nan)), 1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"rate": float((correct.sum(0) / total.sum(0)).mean()), "low": float(low), "high": float(high)}


def format_line(method: str, summary: dict[str, Any]) -> str:
    """Return the line of one method."""
    by_attack = [
        f"{attack} {100 * rates['top1']['rate']:.0f}/{100 * rates['top5']['rate']:.0f}"
        for attack, rates in summary["by_attack"].items()
    ]
    head = f"{method:10} {summary['core_seconds']:8.3f} s {summary['iterations']:5.0f} it"
    means = [
        f"{100 * rate['rate']:.1f} [{100 * rate['low']:.0f}-{100 * rate['high']:.0f}]"
        for rate in (summary["top1"], summary["top5"])
    ]
    return f"{head}  {summary['images']} images, mean {' / '.join(means)}  {'  '.join(by_attack)}"


def measure_steps(side: int = 224) -> Iterator[dict[str, Any]]:
    """Yield the seconds per iteration of each network, the baseline first."""
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        baseline = median_seconds(textbook_step(image))
        yield {"network": "paper", "precision": "fp32, contiguous", "threads": threads, "seconds": baseline}
        for network in NETWORKS:
            for precision in ("fp32", "bf16"):
                settings = FitSettings(network=network, loss="mse", stop=Fixed(1), precision=precision)
                seconds = median_seconds(partial(next, fit_steps(image, settings, seed=0)))
                yield {
                    "network": network, "precision": precision, "threads": threads, "seconds": seconds,
                    "speed_up": baseline / seconds,
                }  # fmt: skip


def textbook_step(image: Tensor) -> Callable[[], object]:
    """Return an iteration of the paper's network in its simplest form."""
    network = random_network("paper", 0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    z = network.draw_input(*image.shape[-2:], torch.Generator().manual_seed(0))

    def step() -> None:
        optimizer.zero_grad()
        (network(z) - image).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def median_seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Return the median duration of a call, without the first one."""
    function()
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def measure_processes(cases: Sequence[Case], model_name: str, counts: Sequence[int] = (1, 2)) -> dict[str, float]:
    """Return the images per second of the default method for each number of processes."""
    rates, run = {}, partial(run_case, DEFAULT, model_name=model_name)
    for count in counts:
        with process_pool(count) as workers:
            list(workers.map(run, cases))  # The first round loads the networks.
            start = time.perf_counter()
            list(workers.map(run, cases))
            rates[str(count)] = len(cases) / (time.perf_counter() - start)
    return rates


def print_step(step: dict[str, Any]) -> dict[str, Any]:
    """Print a measured step and return it."""
    print("  ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in step.values()), flush=True)
    return step


def main() -> None:
    """Print all measurements and write them as JSON."""
    parser = argparse.ArgumentParser(description="Compare the methods of dp-denoise.")
    parser.add_argument("records", type=Path, help="records of dp-attack")
    parser.add_argument("--part", choices=("all", "even", "odd"), default="all", help="images to use, by name")
    parser.add_argument("--images", type=int, help="largest number of source images")
    parser.add_argument("--model", default="efficientnet-lite0", help="the classifier")
    parser.add_argument("--jobs", type=int, default=available_cores())
    parser.add_argument("--out", type=Path, help="JSON file for all measurements")
    parser.add_argument("--no-steps", action="store_true", help="measure accuracy only")
    parser.add_argument("methods", nargs="*", default=list(BENCHMARKED), help=f"none, {', '.join(METHODS)}")
    options = parser.parse_intermixed_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    cases = load_cases(options.records, options.part, options.images)
    report: dict[str, Any] = {"part": options.part, "images": sum(case.attack == "clean" for case in cases)}
    with process_pool(options.jobs) as workers:
        for method in options.methods:
            run, limited = partial(run_case, method, model_name=options.model), MAX_IMAGES.get(method)
            results = workers.map(run, limit_sources(cases, limited), chunksize=4)
            report[method] = summarise(list(results))
            print(format_line(method, report[method]), flush=True)
    if not options.no_steps:
        report["steps"] = [print_step(step) for step in measure_steps()]
        report["processes"] = measure_processes(cases[:40], options.model)
        print(report["processes"])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
