"""Certify the predictions for a directory of images (`make certify`), and report certified accuracy.

The script first estimates the time. Each record is written as soon as it is complete, so a run that was interrupted
continues where it stopped.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch
from processes import run_tool
from universality import files, zero_separated

from dptools.certify import Smoothed
from dptools.certify.smoothing import PURIFIER
from dptools.classifiers import load as load_classifier
from dptools.devices import available_cores
from dptools.purifiers import load


def complete(file: Path) -> dict[str, str]:
    """Return the complete records of a file by image; an incomplete last line is removed from the file."""
    if not file.exists():
        return {}
    lines = file.read_text().splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
        file.write_text("".join(lines))
    return {json.loads(line)["source"]: line for line in lines}


def seconds(model: str, sigma: float) -> float:
    """Return the seconds of one draw on one thread."""
    classifier = load_classifier(model, device="cpu")
    image = torch.full((3, classifier.geometry.crop, classifier.geometry.crop), 0.5)
    smoothed = Smoothed(classifier, load(PURIFIER), sigma=sigma)
    smoothed.predict(image, draws=2)
    start = time.perf_counter()
    smoothed.predict(image, draws=10)
    return (time.perf_counter() - start) / 10


def main() -> None:
    """Estimate, certify and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("images", type=Path, help="directory of images, in subdirectories named after their classes")
    add("--out", type=Path, required=True, help="directory for records and the report")
    add("--sigma", type=float, nargs="+", default=[0.12, 0.25, 0.5])
    add("--draws", type=int, default=1000)
    add("--model", default="efficientnet-lite0")
    add("--engine", default="local")
    add("--jobs", type=int, default=available_cores())
    add("--estimate", action="store_true", help="print the estimate and exit")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    images = [str(path) for path in files(options.images, "all")]
    recorded = {sigma: options.out / f"sigma-{sigma:g}-{options.draws}.jsonl" for sigma in options.sigma}
    done = {sigma: complete(file) for sigma, file in recorded.items()}
    if others := {path for found in done.values() for path in found} - set(images):
        sys.exit(
            f"{options.out} has records of {min(others)}, which is no image of {options.images}: use another --out"
        )
    left = sum(len(images) - len(found) for found in done.values())
    draw = seconds(options.model, options.sigma[0])
    hours = left * 1.1 * options.draws * draw / 3600 / options.jobs
    print(f"{left} certificates left, {draw:.3f} s per draw: at most {hours:.1f} hours", file=sys.stderr)
    if options.estimate:
        return
    for sigma, file in recorded.items():
        names = zero_separated([path for path in images if path not in done[sigma]])
        command = ["dp-classify", "-0", "--certify", f"{sigma:g}", "--draws", str(options.draws)]
        command += ["--model", options.model, "--engine", options.engine, "-j", str(options.jobs)]
        with file.open("a") as output:
            if names and run_tool(command, names, stdout=output) > 1:
                sys.exit(f"sigma {sigma:g}: dp-classify failed")
    report = str(options.out / "report.html")
    command = ["dp-eval", "--markdown", "--report", report, *map(str, recorded.values())]
    if run_tool(command) > 1:
        sys.exit("dp-eval failed")
    print(f"report: {report}", file=sys.stderr)


if __name__ == "__main__":
    main()
