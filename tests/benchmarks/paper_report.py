"""Draw the figures of docs/paper.md from its records, without computing a fit (`make paper-report`).

Each record is one fit of 3,000 iterations with a checkpoint every 50. A stopping criterion chooses one checkpoint, so
all criteria are evaluated on the same fits.
"""

import argparse
import json
import lzma
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fit = dict[str, Any]
Point = dict[str, Any]

MODEL = "efficientnet-lite0"
LIMIT = 3000
FIXED = 1750
LOSS = 0.002
CURVE_EVERY = 10
"""Iterations between two values of a curve."""

STEPS = range(250, LIMIT + 1, 250)
"""Fixed numbers of iterations that are compared."""


def oracle(fit: Fit) -> int | None:
    """Return the first checkpoint with the label, and without the adversarial class, among the five most probable."""
    for point in fit["points"]:
        if point["label_rank"] <= 5 and point.get("adversarial_rank", LIMIT) > 5:
            return int(point["iteration"])
    return None


def loss_threshold(fit: Fit) -> int | None:
    """Return the first checkpoint after the loss fell below LOSS."""
    every = fit["points"][0]["iteration"]
    for number, value in enumerate(fit["curves"]["loss"], start=1):
        if value >= -10 * math.log10(LOSS):
            return int(math.ceil(number * CURVE_EVERY / every) * every)
    return None


CRITERIA: dict[str, Callable[[Fit], int | None]] = {
    "oracle": oracle,
    f"fixed:{FIXED}": lambda _: FIXED,
    f"loss:{LOSS}": loss_threshold,
}


def record(fit: Fit, criterion: str) -> dict[str, Any]:
    """Return the record that dp-denoise and dp-classify would have written for a fit with this criterion."""
    step = CRITERIA[criterion](fit)
    point = next(point for point in fit["points"] if point["iteration"] == (step or LIMIT))
    reason = "criterion met" if step else "iteration limit reached"
    stop = {"criterion": criterion, "step": step or LIMIT, "iterations": step or LIMIT, "reason": reason}
    attacked = fit["attack"] != "none"
    attack = {"attack": {"name": fit["attack"], "success": True, "adversarial_label": fit.get("adversarial")}}
    return {
        "schema": 2,
        "id": fit["id"],
        "path": fit["image"],
        "source": fit["image"],
        "label": fit["label"],
        **(attack if attacked else {}),
        "denoise": {"method": "paper", "stop": stop},
        "classify": {"model": MODEL, "top": [], "label_rank": point["label_rank"]},
    }


def trace(fit: Fit, limit: int) -> list[dict[str, Any]]:
    """Return the lines of the trace of a fit with this number of iterations."""
    return [
        {"id": fit["id"], "attack": fit["attack"], "iteration": point["iteration"], "label_rank": point["label_rank"]}
        for point in fit["points"]
        if point["iteration"] <= limit
    ]


def by_iterations(fits: list[Fit]) -> list[str]:
    """Return the lines of a table in Markdown: top-1 and top-5 by the fixed number of iterations."""
    lines = ["| iterations | attacked: top-1 | top-5 | clean: top-1 | top-5 |", "| ---: | ---: | ---: | ---: | ---: |"]
    for step in STEPS:
        cells = []
        for attacked in (True, False):
            group = [fit for fit in fits if (fit["attack"] != "none") is attacked]
            ranks = [fit["points"][step // fit["points"][0]["iteration"] - 1]["label_rank"] for fit in group]
            cells += [f"{sum(rank <= k for rank in ranks)} of {len(ranks)}" for k in (1, 5)]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return lines


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write JSON Lines, and return the path."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def main() -> None:
    """Write records, figures and tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, help="compressed records of fits")
    parser.add_argument("--out", type=Path, required=True, help="directory for records and figures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with lzma.open(options.records, "rt") as file:
        fits = [json.loads(line) for line in file]
    print("\n".join(by_iterations(fits)), flush=True)
    attacked = [fit for fit in fits if fit["attack"] != "none"]
    written = {}
    traced = write(options.out / "fixed.trace", [line for fit in fits for line in trace(fit, FIXED)])
    for criterion in CRITERIA:
        name = criterion.partition(":")[0]
        group = fits if criterion != "oracle" else attacked
        written[name] = write(options.out / f"{name}.jsonl", [record(fit, criterion) for fit in group])
        more = ["--trace", str(traced)] if name == "fixed" else []
        command = ["dp-eval", "--markdown", *more, "--figures", str(options.out / name), str(written[name])]
        print(f"\n{criterion}:", flush=True)
        subprocess.run(command, check=True)
    course = write(options.out / "course.trace", [line for fit in attacked for line in trace(fit, LIMIT)])
    command = ["dp-eval", "--trace", str(course), "--figures", str(options.out / "course"), str(written["oracle"])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print("\nall criteria:", flush=True)
    subprocess.run(
        [
            "dp-eval",
            "--markdown",
            "--by",
            "method",
            "--figures",
            str(options.out / "methods"),
            *map(str, written.values()),
        ],
        check=True,
    )


if __name__ == "__main__":
    main()
