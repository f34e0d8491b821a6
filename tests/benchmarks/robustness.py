"""Evaluate a purification method against attackers who know it (`make robustness`).

The script first estimates the time, then runs dp-attack with each of the attacks that the checklist of dp-eval asks
for, and then writes the tables, the checklist and a report. A run that was interrupted continues where it stopped; a
run with other options or images starts again.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from processes import run_tool
from torch import Tensor
from universality import files, is_recorded, run_once, zero_separated

from dptools.attacks import DefendedModel
from dptools.classifiers import load as load_classifier
from dptools.devices import available_cores
from dptools.errors import UsageError
from dptools.purifiers import DEFAULT, Method, load, parse_method

EPSILONS = ("1/255", "2/255", "4/255", "8/255")
MAIN, MAIN_L2 = "4/255", "0.5"

JUDGES = 10


@dataclass(frozen=True)
class Plan:
    """One run of dp-attack.

    Attributes:
        name: Name of the run's files.
        options: Options of dp-attack.
        queries: Largest number of queries per image.
        draws: Draws per query.
        gradient: Whether the queries need gradients.
        few: Whether the run takes only the first images, because it is slow.
    """

    name: str
    options: str
    queries: int
    draws: int = 1
    gradient: bool = True
    few: bool = False


@dataclass(frozen=True)
class Run:
    """A plan with its images.

    Attributes:
        plan: The plan.
        images: The images to attack.
        file: The file of records.
        command: dp-attack with its options.
    """

    plan: Plan
    images: list[Path]
    file: Path
    command: list[str]


def plans(method: Method, eot: int, steps: int, queries: int) -> Iterator[Plan]:
    """Yield the runs for a method.

    Args:
        method: The method.
        eot: Draws per gradient of a random method.
        steps: Steps of PGD.
        queries: Queries of the attacks without gradients.
    """
    draws = eot if method.random else 1
    average = f" --eot {eot}" if method.random else ""

    def pgd(name: str, more: str, steps: int = steps, draws: int = draws) -> Plan:
        return Plan(name, f"-a pgd --set steps={steps} {more}", steps, draws)

    for epsilon in EPSILONS:
        yield pgd(f"pgd-{epsilon.partition('/')[0]}", f"--epsilon {epsilon}{average}")
    yield pgd("pgd-l2", f"--norm l2 --epsilon {MAIN_L2}{average}")
    yield pgd("pgd-twice", f"--epsilon {MAIN}{average}", steps=2 * steps)
    if method.differentiable:
        yield pgd("pgd-bpda", f"--epsilon {MAIN} --gradient bpda{average}")
    yield pgd("transfer", f"--epsilon {MAIN} --transfer-from efficientnet-lite1{average}")
    if method.random:
        yield pgd("fixed", f"--epsilon {MAIN} --fixed-draws", draws=1)
        yield Plan("aa-rand", f"-a autoattack --set version=rand --epsilon {MAIN}", 200, 20, few=True)
    standard = f"-a autoattack --set version=standard --set queries={queries} --epsilon {MAIN}{average}"
    yield Plan("aa-standard", standard, 100 + 900 + 900 + queries, draws, few=True)
    yield Plan("square", f"-a square --set queries={queries} --epsilon {MAIN}", queries, gradient=False, few=True)
    hop = "-a HopSkipJumpAttack --set constraint=linf --set steps=8 --set initial_gradient_eval_steps=20"
    judged = 1 + JUDGES if method.random else 1  # an image that fools one draw is judged
    yield Plan("hop", f"{hop} --epsilon {MAIN}", 8 * 100 * judged, gradient=False, few=True)


def seconds(method: Method, model: str) -> tuple[float, float]:
    """Return the seconds of one query of the defended classifier on one thread, without and with a gradient."""
    classifier, purifier = load_classifier(model, device="cpu"), load(method)
    surrogate = load("denoiser") if method.optimised else None  # as dp-attack chooses
    side = classifier.geometry.crop
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) / 4 + 0.4
    defended = DefendedModel(classifier, purifier, seed=0, surrogate=surrogate)
    return _query(defended, image, gradient=False), _query(defended, image, gradient=True)


def _query(defended: DefendedModel, image: Tensor, *, gradient: bool) -> float:
    """Return the seconds of the second of two queries: the first one also prepares memory."""
    for _ in range(2):
        start = time.perf_counter()
        logits = defended(image.clone().requires_grad_(gradient))
        if gradient:
            logits.sum().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def estimate(runs: list[Run], method: Method, options: argparse.Namespace) -> None:
    """Print the longest time that each run can take."""
    forward, backward = seconds(method, options.model)
    print(f"one query: {forward:.2g} s, with a gradient {backward:.2g} s, on one core", file=sys.stderr)
    total = 0.0
    for run in runs:
        plan, count = run.plan, len(run.images)
        cost = count * (plan.queries * plan.draws * (backward if plan.gradient else forward) + 2 * JUDGES * forward)
        done = is_recorded(run.command, run.file, zero_separated(run.images))
        total += 0 if done else cost
        left = "done" if done else f"at most {cost / 60:.0f} core-minutes"
        print(f"{plan.name:12} {count:4} images  {left}", file=sys.stderr)
    hours = total / 3600 / options.jobs
    print(f"all: at most {hours:.1f} hours on {options.jobs} cores; broken images end early", file=sys.stderr)


def prepared(plan: Plan, images: list[Path], options: argparse.Namespace) -> Run:
    """Return the run of a plan."""
    file: Path = options.out / f"{plan.name}.jsonl"
    command = ["dp-attack", "-0", *plan.options.split(), "--through", options.method, "--model", options.model]
    return Run(plan, images, file, [*command, "-o", str(file.with_suffix(""))])


def main() -> None:
    """Estimate, attack and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("images", type=Path, help="directory of images, in subdirectories named after their classes")
    add("--method", default=DEFAULT, help="the method of dp-denoise to attack")
    add("--model", default="efficientnet-lite0")
    add("--out", type=Path, required=True, help="directory for images, records and the report")
    add("--count", type=int, default=0, help="number of images, drawn at even distances; 0 for all")
    add("--few", type=int, default=8, help="number of images for the slow attacks")
    add("--eot", type=int, default=4, help="draws per gradient of PGD")
    add("--steps", type=int, default=30, help="steps of PGD")
    add("--queries", type=int, default=500, help="queries of Square")
    add("--jobs", type=int, default=available_cores())
    add("--only", nargs="+", metavar="RUN", help="names of runs; by default all")
    add("--estimate", action="store_true", help="print the estimate and exit")
    options = parser.parse_args()
    found = files(options.images, "all")
    chosen = found[:: max(1, len(found) // options.count)][: options.count] if options.count else found
    few = chosen[:: max(1, len(chosen) // options.few)][: options.few]
    try:
        method = parse_method(options.method)
    except UsageError as error:
        parser.error(str(error))
    todo = list(plans(method, options.eot, options.steps, options.queries))
    todo = [plan for plan in todo if not options.only or plan.name in options.only]
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    runs = [prepared(plan, few if plan.few else chosen, options) for plan in todo]
    estimate(runs, method, options)
    if options.estimate:
        return
    for run in runs:
        run_once(run.command, run.file, zero_separated(run.images), options.jobs)
        print(f"{run.plan.name}: done", file=sys.stderr)
    report = str(options.out / "report.html")
    recorded = [str(run.file) for run in runs]
    if run_tool(["dp-eval", "--markdown", "--report", report, *recorded]) > 1:
        sys.exit("dp-eval failed")
    print(f"report: {report}", file=sys.stderr)


if __name__ == "__main__":
    main()
