"""Measure what sign steps change, and how many images get them.

    dp-attack -a FGSM --epsilon 4/255 imgs -o fgsm4 > fgsm4.jsonl
    python tests/benchmarks/sign_steps.py fgsm4.jsonl --methods fast denoiser zero-shot

The input is files of records, one for each attack. Standard output gets a table in Markdown for each method. It has a
row for the clean images and for each file: the number of images, the top-1 accuracy in per cent with 95 % Wilson
intervals, without and with sign steps, and the per cent of images that get them.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import process_pool
from restore import Case, classifier, load_cases, purifier

from dptools.classifiers import rank
from dptools.devices import available_cores
from dptools.evaluation.formatting import percent
from dptools.evaluation.intervals import Rate
from dptools.pipe.image import decode
from dptools.pixels import to_pixels
from dptools.purifiers import Purifier
from dptools.purifiers.sign_settings import NO_SIGN_STEPS

METHODS = ("fast", "denoiser", "zero-shot")


@cache
def without_sign_steps(method: str) -> Purifier:
    """Return the method without sign steps."""
    module: Any = purifier(method)
    changed: Purifier = type(module)(replace(module.settings, sign_steps=NO_SIGN_STEPS))
    return changed


def run(method: str, case: Case, model_name: str) -> tuple[str, int, int, bool]:
    """Return the attack, the ranks of the label without and with sign steps, and whether the image gets them."""
    model = classifier(model_name)
    image = model.tensor(decode(Path(case.path).read_bytes()).pixels)
    with torch.no_grad():
        outputs = [to_pixels(module(image, seeds=[0])[0]) for module in (without_sign_steps(method), purifier(method))]
    without, with_steps = (rank(model.probabilities(model.tensor(output))[0], case.label) for output in outputs)
    return case.attack, without, with_steps, bool((outputs[0] != outputs[1]).any())


def row(attack: str, results: Sequence[tuple[int, int, bool]]) -> str:
    """Return the row of an attack."""
    without, with_steps, steps = zip(*results, strict=True)
    rates = [percent(Rate(ranks.count(1), len(ranks))) for ranks in (without, with_steps)]
    return f"| {attack} | {len(results)} | {' | '.join(rates)} | {100 * np.mean(steps):.0f} |"


def cases_of(files: Sequence[Path]) -> list[Case]:
    """Return the clean images and those of all files; the name of a file names its attack."""
    cases = [
        case if case.attack == "clean" else replace(case, attack=file.stem)
        for file in files
        for case in load_cases(file, "all", None)
    ]
    return sorted(dict.fromkeys(cases), key=lambda case: case.attack != "clean")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path)
    parser.add_argument("--methods", nargs="+", default=METHODS[:1], choices=METHODS)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--jobs", type=int, default=available_cores())
    options = parser.parse_args()
    cases = cases_of(options.records)
    with process_pool(options.jobs) as workers:
        for method in options.methods:
            print(f"| {method} | n | without | with | get them |\n| --- | --- | --- | --- | --- |")
            results = defaultdict(list)
            for attack, *result in workers.map(partial(run, method, model_name=options.model), cases, chunksize=4):
                results[attack].append(result)
            print("\n".join(starmap(row, results.items())), flush=True)


if __name__ == "__main__":
    main()
