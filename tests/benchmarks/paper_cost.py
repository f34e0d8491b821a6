"""Estimate the duration of the fits of `make paper`, and show their progress.

estimate   print the number of fits, how many of them an earlier run has finished, and the time that the others take
progress   copy the records of dp-denoise to standard output; print how many of all fits are done, and the time left

Before the attacks are done, the estimate assumes that each attack succeeds on each image.
"""

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image
from processes import process_pool

from dptools.attacks.registry import PAPER
from dptools.devices import available_cores
from dptools.pipe.reuse import find_output
from dptools.pipe.sink import target
from dptools.pipe.walk import SUFFIXES
from dptools.purifiers.dip.settings import FIT_SETTINGS

SIDE = 224
"""Side of the image that steps are timed on, in pixels."""

SECONDS, MAX_STEPS = 2.0, 50
"""The timing ends after this time, or after this number of steps."""


@dataclass(frozen=True)
class Fit:
    """One fit of the experiment.

    Attributes:
        id: The id of the image.
        size: The size of the image, in pixels; the duration of a step is proportional to it.
        attacked: Whether the image was attacked.
        done: Whether an earlier run has written all outputs of the fit.
    """

    id: str
    size: int
    attacked: bool
    done: bool = False


def planned(options: argparse.Namespace) -> Iterator[Fit]:
    """Yield all fits of the experiment, as far as they are known before the attacks."""
    images = [(path, str(path.relative_to(options.images))) for path in sorted(options.images.rglob("*"))]
    clean = [(path, name) for path, name in images if path.suffix.lower() in SUFFIXES]
    attacked = _recorded(options.folder / "attacked.jsonl")
    if attacked is None:
        attacks = [name for given in options.attacks for name in (PAPER if given == "all" else (given,))]
        side = _model_side(options.model) if clean else SIDE
        yield from (Fit(f"{name}@{attack}", side**2, True) for _, name in clean for attack in attacks)
    else:
        yield from (Fit(name, _size(path), True, _is_done(name, True, options)) for path, name in attacked)
    if options.clean:
        found = _recorded(options.folder / "clean.jsonl")
        for path, name in clean if found is None else found:
            yield Fit(name, _size(path), False, _is_done(name, False, options))


def _recorded(file: Path) -> list[tuple[Path, str]] | None:
    """Return path and id of the images in a file of records that will be fitted; None if there is no file."""
    if not file.exists():
        return None
    records = [json.loads(line) for line in file.read_text().splitlines()]
    return [(Path(record["path"]), record["id"]) for record in records if not {"error", "skipped"} & record.keys()]


def _model_side(model: str) -> int:
    from dptools.classifiers import load

    return load(model, device="cpu").geometry.crop


def _size(path: Path) -> int:
    with Image.open(path) as image:
        return image.width * image.height


def _is_done(name: str, attacked: bool, options: argparse.Namespace) -> bool:
    """Return whether all outputs of a fit exist, and the last one comes from a fit with the same limit."""
    criteria = [criterion for criterion in options.criteria if attacked or criterion != "oracle"]
    paths = [target(options.folder / "images/fits", f"{name}@{criterion}") for criterion in criteria]
    if not all(path.exists() for path in paths):
        return False
    output = find_output(paths[-1], "")
    record = output.record if output else None
    return record is not None and record["stages"][-1]["params"].get("max_iterations") == options.limit


def seconds_per_step(method: str) -> float:
    """Return the seconds of one step of a fit of a 224 x 224 image, on the GPU if there is one, else on one thread."""
    import torch

    from dptools.devices import resolve_device
    from dptools.purifiers.dip import steps

    torch.set_num_threads(1)
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    fit = steps(image.to(resolve_device("auto")), FIT_SETTINGS[method], seed=0)
    next(fit)  # the first step allocates memory
    start, count = time.perf_counter(), 0
    while count < MAX_STEPS and time.perf_counter() - start < SECONDS:
        next(fit)
        count += 1
    return (time.perf_counter() - start) / count


def _measured(method: str, jobs: int) -> float:
    """Return the mean of :func:`seconds_per_step` over a number of processes that run at the same time."""
    if jobs == 1:
        return seconds_per_step(method)
    with process_pool(jobs) as pool:
        return mean(pool.map(seconds_per_step, [method] * jobs))


def duration(seconds: float) -> str:
    """Return a duration in words."""
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def estimate(fits: Sequence[Fit], options: argparse.Namespace) -> None:
    """Print the number of fits and the time that they take."""
    import torch

    jobs = options.jobs or (1 if torch.cuda.is_available() else available_cores())
    left = [fit for fit in fits if not fit.done]
    attacked = sum(fit.attacked for fit in fits)
    print(f"fits: {attacked} of attacked images and {len(fits) - attacked} of clean images", file=sys.stderr)
    print(f"already done, will be reused: {len(fits) - len(left)}", file=sys.stderr)
    if not left:
        return
    step = _measured(options.method, jobs)
    work = step * sum(fit.size for fit in left) / SIDE**2 / min(jobs, len(left))
    low, high = duration(work * min(options.steps, options.limit)), duration(work * options.limit)
    most = "" if (options.folder / "attacked.jsonl").exists() else "at most "
    for line in (
        f"{step:.3g} s per step of {SIDE} x {SIDE} pixels, measured with {jobs} at a time",
        f"{min(options.steps, options.limit)} to {options.limit} steps per fit",
        f"left: {len(left)} fits, {most}{low} to {high} on this machine",
    ):
        print(line, file=sys.stderr)


@dataclass
class Progress:
    """Counts fits by the records of their outputs, and estimates the time left.

    Attributes:
        left: The fits that are not done, by id.
        total: The number of all fits.
        criteria: The stopping criteria, which end the ids of outputs.
        computed: Sum of the sizes of the fits that this run computed.
        start: The time when the computation began, in seconds.
    """

    left: dict[str, Fit]
    total: int
    criteria: Sequence[str]
    computed: int = 0
    start: float = field(default_factory=time.monotonic)

    def add(self, record: dict[str, Any]) -> str | None:
        """Count a record, and return a message if it is the first one of a fit."""
        name, _, criterion = record["id"].rpartition("@")
        fit = self.left.pop(name if criterion in self.criteria else record["id"], None)
        if fit is None:
            return None
        if record.get("cached"):
            self.start = self.start if self.computed else time.monotonic()
        else:
            self.computed += fit.size
        return str(self)

    def __str__(self) -> str:
        text = f"fits: {self.total - len(self.left)} of {self.total} done"
        if not self.computed or not self.left:
            return text
        pace = (time.monotonic() - self.start) / self.computed
        return f"{text}, about {duration(pace * sum(fit.size for fit in self.left.values()))} left"


def progress(fits: Sequence[Fit], criteria: Sequence[str]) -> None:
    """Copy records from standard input to standard output, and print the progress."""
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    tally = Progress({fit.id: fit for fit in fits if not fit.done}, len(fits), criteria)
    print(tally, file=sys.stderr)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if message := tally.add(json.loads(line)):
            print(message, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("command", choices=("estimate", "progress"))
    add("folder", type=Path, help="directory of the experiment's outputs")
    add("--images", type=Path, required=True, help="directory of images, in subdirectories named after their classes")
    add("--attacks", nargs="+", default=["all"])
    add("--model", default="efficientnet-lite0")
    add("--method", choices=sorted(FIT_SETTINGS), default="dip")
    add("--criteria", nargs="+", required=True, help="stopping criteria, as in the ids of outputs")
    add("--steps", type=int, default=350, help="iterations of the fixed stop")
    add("--limit", type=int, default=3000, help="largest number of iterations")
    add("--jobs", type=int, help="number of workers")
    add("--clean", action="store_true", help="clean images are fitted too")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the command of the command line."""
    options = parse()
    try:
        fits = list(planned(options))
        estimate(fits, options) if options.command == "estimate" else progress(fits, options.criteria)
    except Exception:
        # Status 1 of a tool in a pipeline of the Makefile means that some record failed.
        traceback.print_exc()
        sys.exit(2)


if __name__ == "__main__":
    main()
