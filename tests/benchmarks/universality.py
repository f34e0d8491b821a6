"""Measure the methods on the Deep Protection paper's eight attacks and on twenty-one others (`make universality`).

The attacker knows the classifier, not the method. The settings of the methods were chosen on the paper's eight attacks
and on ten of the others (DEVELOPMENT); no choice was based on the remaining eleven (OTHERS).

Standard output gets a table in Markdown: the top-1 accuracy of each method on images that the attack changed
successfully, as 8-bit files, with 95 % intervals: Wilson intervals for one attack, and bootstrap intervals over source
images for means over attacks.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from processes import process_pool, run_tool
from restore import Case, Result, mean_over_attacks, run_case

from dptools.devices import available_cores
from dptools.evaluation.formatting import percent
from dptools.evaluation.intervals import Rate

PAPER = {name: f"-a {name}" for name in ("gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn")}
"""Options of dp-attack for the attacks of the Deep Protection paper."""

PGD = "--set steps=20 --set rel_stepsize=0.1"

DEVELOPMENT = {
    "FGSM 4/255": "-a FGSM --epsilon 4/255",
    "FGSM 8/255": "-a FGSM --epsilon 8/255",
    "FGSM 16/255": "-a FGSM --epsilon 16/255",
    "PGD Linf 2/255": f"-a LinfPGD {PGD} --epsilon 2/255",
    "PGD Linf 4/255": f"-a LinfPGD {PGD} --epsilon 4/255",
    "momentum Linf 4/255": "-a MIFGSM --epsilon 4/255",
    "PGD L2 2.0": f"-a L2PGD {PGD} --epsilon 2",
    "Gaussian blur": "-a GaussianBlurAttack --set steps=100",
    "uniform noise 48/255": "-a LinfRepeatedAdditiveUniformNoiseAttack --set repeats=20 --epsilon 48/255",
    "contrast reduction": "-a LinearSearchContrastReductionAttack --set steps=100",
}
"""The same for attacks outside the paper that settings were chosen on."""

OTHERS = {
    "PGD L2 4.0": f"-a L2PGD {PGD} --epsilon 4",
    "DDN L2": "-a DDNAttack",
    "elastic net L1": "-a EADAttack --set steps=50 --set binary_search_steps=4 --set initial_const=1",
    "sparse L1 descent 200": "-a SparseL1DescentAttack --epsilon 200",
    "rotation and shift": "-a SpatialAttack",
    "Gaussian noise L2 25": "-a L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack --set repeats=20 --epsilon 25",
    "square Linf 8/255": "-a square --set queries=500 --epsilon 8/255",
    "AutoPGD Linf 4/255": "-a apgd-t --set steps=10 --epsilon 4/255",
    "basic iterative Linf 8/255": "-a LinfBasicIterativeAttack --epsilon 8/255",
    "virtual adversarial L2 8": "-a VirtualAdversarialAttack --set steps=10 --epsilon 8",
    "fast minimum norm Linf": "-a LInfFMNAttack --set steps=50",
}
"""The same for the attacks that no choice was based on."""

ATTACKS = PAPER | DEVELOPMENT | OTHERS

FILTERS = ("jpeg:75", "jpeg:50", "median:3", "bilateral", "tv", "nlm", "bits:4")

METHODS = ("denoiser", "denoiser:24", "fast", "perceptual", "smoothing", "photo", "zero-shot", *FILTERS)


def is_recorded(command: Sequence[str], file: Path, names: bytes | None = None) -> bool:
    """Return whether a file holds the records of this command and these names; see :func:`run_once`."""
    made = file.with_suffix(".command")
    return file.exists() and made.exists() and made.read_text() == _described(command, names)


def run_once(command: Sequence[str], file: Path, names: bytes | None = None, jobs: int | None = None) -> None:
    """Run a tool with a file for its records, unless the file already holds those of the same command.

    The file appears when it is complete. The file ``.command`` beside it holds the command. After a change, the tool
    itself reuses the images that do not change.

    Args:
        command: the tool and its options.
        file: the file for standard output.
        names: standard input; None to leave it.
        jobs: number of workers; None for the tool's default.
    """
    if is_recorded(command, file, names):
        return
    part = file.with_suffix(".part")
    workers = [] if jobs is None else ["-j", str(jobs)]
    with part.open("w") as output:
        # Status 1 means that some image failed.
        if run_tool([*command, *workers], names, stdout=output) > 1:
            sys.exit(f"{file.stem}: {command[0]} failed")
    part.rename(file)
    file.with_suffix(".command").write_text(_described(command, names))


def _described(command: Sequence[str], names: bytes | None) -> str:
    return json.dumps([*command, os.fsdecode(names or b"")]) + "\n"


def attack(name: str, options: str, images: Sequence[Path], folder: Path, model: str) -> list[Case]:
    """Attack the images, unless the folder holds the records, and return the successfully attacked ones."""
    file = folder / (name.replace("/", "-").replace(" ", "-") + ".jsonl")
    command = ["dp-attack", *options.split(), "--model", model, "-o", str(file.with_suffix(""))]
    run_once([*command, *map(str, images)], file)
    records = [json.loads(line) for line in file.read_text().splitlines()]
    succeeded = [record for record in records if record.get("attack", {}).get("success")]
    return [Case(record["path"], record["label"], name, record["source"]) for record in succeeded]


def zero_separated(images: Sequence[str | Path]) -> bytes:
    """Return the names of images as dp-attack reads them from standard input with ``-0``."""
    return b"".join(os.fsencode(path) + b"\0" for path in images)


def files(directory: Path, part: str) -> list[Path]:
    """Return the images of a directory; `even` and `odd` select every second one in the order of names."""
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {"all": found, "even": found[::2], "odd": found[1::2]}[part]


def rate(results: Sequence[Result]) -> str:
    """Return the top-1 accuracy with its Wilson interval, in per cent."""
    return percent(Rate(sum(result.rank == 1 for result in results), len(results)))


def mean(results: Sequence[Result], k: int) -> str:
    """Return the mean over attacks of the top-k accuracy with a bootstrap interval over source images, in per cent."""
    found = mean_over_attacks(results, k)
    return f"{100 * found['rate']:.1f} [{100 * found['low']:.0f}-{100 * found['high']:.0f}]"


def as_record(model: str, method: str, result: Result) -> dict[str, object]:
    """Return a result as JSON without directories, as in docs/records/universality.jsonl.xz."""
    case, name = result.case, Path(result.case.source).name
    facts = {"model": model.rpartition(":")[-1], "method": method, "attack": case.attack, "image": name}
    return {**facts, "label": case.label, "rank": result.rank, "seconds": round(result.seconds, 3)}


def rows(results: Mapping[str, Sequence[Result]]) -> list[list[str]]:
    """Return the lines of the table as cells."""
    first = next(iter(results.values()))

    def line(name: str) -> list[str]:
        of_attack = {method: [r for r in found if r.case.attack == name] for method, found in results.items()}
        count = len(next(iter(of_attack.values())))
        return [name, str(count), *map(rate, of_attack.values())] if count else []

    lines = [["attack", "n", *results], line("clean")]
    for title, attacks in (("the paper's eight", PAPER), ("development", DEVELOPMENT), ("others", OTHERS)):
        lines += [line(name) for name in attacks]
        count = sum(result.case.attack in attacks for result in first)
        if count:
            of_group = [[r for r in found if r.case.attack in attacks] for found in results.values()]
            used = len({result.case.attack for result in first} & set(attacks))
            share = "" if used == len(attacks) else f"{used} of "
            for k in (1, 5):
                lines.append([f"**mean top-{k}, {share}{title}**", str(count), *(mean(found, k) for found in of_group)])
    seconds = [f"{np.mean([result.seconds for result in found]):.3f}" for found in results.values()]
    return [*filter(None, lines), ["core-seconds per image", "", *seconds]]


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; the first line holds the heads of the columns."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], ["---"] * len(lines[0]), *lines[1:]])


def main() -> None:
    """Attack, purify and classify the images, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="directory of images, in subdirectories named after their classes")
    parser.add_argument("--out", type=Path, required=True, help="directory for attacked images and results")
    parser.add_argument("--part", choices=("all", "even", "odd"), default="all", help="images to use, by name")
    parser.add_argument(
        "--attacks", nargs="+", choices=ATTACKS, default=ATTACKS, metavar="NAME", help="only these attacks"
    )
    parser.add_argument("--model", default="efficientnet-lite0", help="the classifier, which the attacks know")
    parser.add_argument("--jobs", type=int, default=available_cores())
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    options = parser.parse_intermixed_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    options.out.mkdir(parents=True, exist_ok=True)
    images, cases = files(options.images, options.part), []
    for name in options.attacks:
        cases += attack(name, ATTACKS[name], images, options.out, options.model)
        print(f"{name}: {sum(case.attack == name for case in cases)} of {len(images)}", file=sys.stderr)
    cases += [Case(source, label, "clean", source) for source, label in {(c.source, c.label) for c in cases}]
    results = {}
    with process_pool(options.jobs) as workers:
        for method in options.methods:
            results[method] = list(workers.map(partial(run_case, method, model_name=options.model), cases, chunksize=4))
            print(f"{method}: done", file=sys.stderr)
    with (options.out / "results.jsonl").open("w") as output:
        for method, found in results.items():
            output.writelines(f"{json.dumps(as_record(options.model, method, result))}\n" for result in found)
    print(markdown(rows(results)))


if __name__ == "__main__":
    main()
