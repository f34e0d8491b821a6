"""Compare the speed of dp-attack's attacks with that of Foolbox alone: `make bench-attack`.

Each attack runs on every sample image that the classifier classifies correctly, with one thread and one image at a
time, which is the fastest setting for both libraries on a CPU. dptools and Foolbox alternate. The baselines are:

gs, agn     one Foolbox call per magnitude, from the smallest on, until the image is misclassified
bun, spn    Foolbox's own linear search with as many steps as dptools
others      Foolbox's attack with the same parameters, without an 8-bit repair

Columns:

success        images that dptools attacked successfully, judged on the 8-bit image
queries        median number of images that the classifier was given
l2             median L2 norm of the perturbation
foolbox_*      the same for Foolbox; foolbox_success is judged before rounding, foolbox_file on the 8-bit image
speed_up       Foolbox's seconds divided by dptools' seconds
speed_up_8bit  the same after Foolbox's image is made adversarial in 8 bits: its perturbation grows by a factor of 1.1
               at a time until the rounded image is misclassified
as_linear      images for which the search of dptools ends at the strength that a linear search finds
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dptools.attacks import PAPER, Attack, AttackResult, find, perturb, strength_search
from dptools.attacks.lattice import round_to_8bit
from dptools.attacks.level_search import Margins
from dptools.classifiers import Classifier, load
from dptools.samples import write_samples

import foolbox  # isort: skip  # dptools.attacks must be imported first: it keeps Foolbox from looking for git.
from foolbox import PyTorchModel  # isort: skip
from foolbox.criteria import Misclassification  # isort: skip

SEARCHES = ("gs", "agn", "bun", "spn")
MAX_REPAIRS = 60


@dataclass(frozen=True)
class Case:
    """An image that the classifier classifies correctly, its label and its seed."""

    image: Tensor
    label: int
    seed: int


@dataclass
class Row:
    """The results of one attack: sums of successes and seconds, medians of norms and queries."""

    attack: str
    images: int
    success: int
    seconds: float
    l2: float
    queries: float
    foolbox_success: int | None = None
    foolbox_file: int | None = None
    foolbox_seconds: float | None = None
    foolbox_l2: float | None = None
    speed_up: float | None = None
    speed_up_8bit: float | None = None
    as_linear: int | None = None


def load_cases(classifier: Classifier, max_images: int) -> list[Case]:
    """Return the sample images that the classifier classifies correctly."""
    cases: list[Case] = []
    with TemporaryDirectory() as folder:
        write_samples(Path(folder))
        for path in sorted(Path(folder).rglob("*.jpg")):
            image = classifier.tensor(np.asarray(Image.open(path).convert("RGB")))
            label = classifier.classes.index(path.parent.name)
            if int(classifier.probabilities(image).argmax()) == label:
                cases.append(Case(image, label, seed=len(cases)))
    return cases[:max_images]


def run_foolbox(name: str, model: PyTorchModel, case: Case) -> Tensor:
    """Return the image that Foolbox 3 alone gives, before rounding."""
    criterion, settings = Misclassification(torch.tensor([case.label])), find(name).settings
    if name == "gs":
        sign = foolbox.attacks.LinfFastGradientAttack(random_start=False)
        return first_success(model, case, lambda n: sign.run(model, case.image, criterion, epsilon=n / 255), 255)
    if name == "agn":
        noise = foolbox.attacks.L2AdditiveGaussianNoiseAttack()
        torch.manual_seed(case.seed)
        norm = float(torch.randn(case.image.shape).norm())

        def noisy(level: int) -> Tensor:
            torch.manual_seed(case.seed)
            return noise.run(model, case.image, criterion, epsilon=level / 1000 * norm)

        return first_success(model, case, noisy, 1000)
    attack = {
        "bun": lambda: foolbox.attacks.LinearSearchBlendedUniformNoiseAttack(directions=1000, steps=1000),
        "spn": lambda: foolbox.attacks.SaltAndPepperNoiseAttack(steps=1000),
        "newtonfool": lambda: foolbox.attacks.NewtonFoolAttack(**settings),
        "deepfool": lambda: foolbox.attacks.L2DeepFoolAttack(loss="logits", **settings),
        "cw": lambda: foolbox.attacks.L2CarliniWagnerAttack(**settings),
    }[name]()
    torch.manual_seed(case.seed)
    return attack.run(model, case.image, criterion)


def first_success(model: PyTorchModel, case: Case, attack: Callable[[int], Tensor], max_level: int) -> Tensor:
    """Return the image of the lowest level that is misclassified, else that of the highest level."""
    for level in range(1, max_level + 1):
        if misclassified(model, image := attack(level), case):
            break
    return image


def misclassified(model: PyTorchModel, image: Tensor, case: Case) -> bool:
    """Return whether the model predicts another class than the label."""
    with torch.no_grad():
        return int(model(image).argmax()) != case.label


def linear_search(margins: Margins, max_level: int, width: int = 1) -> int | None:
    """Return the result that the search of dptools must reproduce."""
    return next((level for level in range(1, max_level + 1) if margins([level])[0] > 0), None)


def run_dptools_with_linear_search(attack: Attack, classifier: Classifier, case: Case) -> AttackResult:
    """Run an attack of dptools with a linear search in place of its own."""
    search, strength_search.smallest_success = strength_search.smallest_success, linear_search
    try:
        return run_dptools(attack, classifier, case)
    finally:
        strength_search.smallest_success = search


def run_dptools(attack: Attack, classifier: Classifier, case: Case) -> AttackResult:
    """Run an attack of dptools on one image."""
    return perturb(attack, classifier, case.image, [case.label], seeds=[case.seed])[0]


def repair(model: PyTorchModel, adversarial: Tensor, case: Case) -> Tensor:
    """Return Foolbox's image with a perturbation large enough to survive rounding to 8 bits."""
    for power in range(MAX_REPAIRS):
        image = round_to_8bit(case.image + 1.1**power * (adversarial - case.image))
        if misclassified(model, image, case):
            break
    return image


Result = TypeVar("Result")


def timed(function: Callable[[], Result]) -> tuple[Result, float]:
    """Return the function's result and the seconds that it took."""
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def measure(name: str, classifier: Classifier, cases: Sequence[Case]) -> Row:
    """Return the results of one attack; Foolbox's columns stay empty for adef, which Foolbox 3 does not have."""
    attack, model = find(name), PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    ours, theirs, repair_seconds, equal = [], [], 0.0, 0
    for case in cases:
        ours.append(timed(lambda case=case: run_dptools(attack, classifier, case)))
        if name != "adef":
            theirs.append(timed(lambda case=case: run_foolbox(name, model, case)))
            repair_seconds += timed(lambda case=case, image=theirs[-1][0]: repair(model, image, case))[1]
        if name in SEARCHES:
            linear = run_dptools_with_linear_search(attack, classifier, case)
            equal += linear.measurements == ours[-1][0].measurements
    row = Row(
        attack=name,
        images=len(cases),
        success=sum(result.success for result, _ in ours),
        seconds=sum(seconds for _, seconds in ours),
        l2=statistics.median(result.norms["l2"] for result, _ in ours),
        queries=statistics.median(result.queries for result, _ in ours),
        as_linear=equal if name in SEARCHES else None,
    )
    return replace(row, **foolbox_columns(row, model, cases, theirs, repair_seconds)) if theirs else row


def foolbox_columns(
    row: Row, model: PyTorchModel, cases: Sequence[Case], theirs: Sequence[tuple[Tensor, float]], repair_seconds: float
) -> dict[str, Any]:
    """Return the columns of a row that compare with Foolbox."""
    total = sum(seconds for _, seconds in theirs)
    images = [(image, case) for case, (image, _) in zip(cases, theirs, strict=True)]
    return {
        "foolbox_success": sum(misclassified(model, image, case) for image, case in images),
        "foolbox_file": sum(misclassified(model, round_to_8bit(image), case) for image, case in images),
        "foolbox_seconds": total,
        "foolbox_l2": statistics.median(float((image - case.image).norm()) for image, case in images),
        "speed_up": total / row.seconds,
        "speed_up_8bit": (total + repair_seconds) / row.seconds,
    }


def format_cell(value: object) -> str:
    """Return a value as it is printed in the table."""
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description="Compare the speed of dp-attack's attacks with Foolbox alone.")
    parser.add_argument("--images", type=int, default=20, help="largest number of images (20)")
    parser.add_argument("--out", type=Path, help="JSON file for the table")
    parser.add_argument("attacks", nargs="*", default=list(PAPER), help=", ".join(PAPER))
    options = parser.parse_args()
    torch.set_num_threads(1)
    classifier = load("efficientnet-lite0", device="cpu")
    cases, rows = load_cases(classifier, options.images), []
    run_dptools(find("gs"), classifier, cases[0])  # The first run is slower and is not measured.
    widths = {name: max(8, len(name)) for name in Row.__dataclass_fields__}
    print("  ".join(f"{name:>{width}}" for name, width in widths.items()))
    for name in options.attacks:
        rows.append(asdict(measure(name, classifier, cases)))
        cells = [f"{format_cell(value):>{widths[key]}}" for key, value in rows[-1].items()]
        print("  ".join(cells), flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
