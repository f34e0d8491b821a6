"""How fast dp-attack's attacks are beside Foolbox alone, in one run: `make bench-attack`.

Every attack meets every sample image that the classifier gets right, ours and Foolbox's in turn, each in one thread and
one image at a time, which is the fastest way for both on a CPU. What Foolbox alone does:

gs, agn     a call for each magnitude, from the smallest on, until the image is misclassified
bun, spn    its own linear search, with as many steps as ours
others      the same attack with the same parameters

Columns:

success      of ours, in the 8-bit image; of Foolbox, in real numbers and (file) once rounded to 8 bits
ratio        Foolbox's seconds to ours
ratio_saved  the same for the same result: where rounding undoes Foolbox's image, its perturbation grows by a tenth at a
             time until it does not
as_linear    images on which our search ends at the strength of a plain linear search
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

from dptools.attacks import PAPER, Attack, Outcome, find, growing, perturb
from dptools.attacks.lattice import rounded
from dptools.attacks.search import Margins
from dptools.classifiers import Classifier, load
from dptools.samples import write_samples

import foolbox  # isort: skip  # after dptools.attacks, which keeps it from looking for git
from foolbox import PyTorchModel  # isort: skip
from foolbox.criteria import Misclassification  # isort: skip

SEARCHES = ("gs", "agn", "bun", "spn")


@dataclass(frozen=True)
class Case:
    """An image that the classifier gets right."""

    image: Tensor
    label: int
    seed: int


@dataclass
class Row:
    """An attack's sums and medians over all images."""

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
    ratio: float | None = None
    ratio_saved: float | None = None
    as_linear: int | None = None


def cases(classifier: Classifier, most: int) -> list[Case]:
    found = []
    with TemporaryDirectory() as folder:
        write_samples(Path(folder))
        for path in sorted(Path(folder).rglob("*.jpg")):
            image = classifier.tensor(np.asarray(Image.open(path).convert("RGB")))
            label = classifier.classes.index(path.parent.name)
            if int(classifier.probabilities(image).argmax()) == label:
                found.append(Case(image, label, seed=len(found)))
    return found[:most]


def foolbox_alone(name: str, model: PyTorchModel, case: Case) -> Tensor:
    """What a script with Foolbox 3 gets, in real numbers."""
    criterion, settings = Misclassification(torch.tensor([case.label])), find(name).settings
    if name == "gs":
        sign = foolbox.attacks.LinfFastGradientAttack(random_start=False)
        return first(model, case, lambda n: sign.run(model, case.image, criterion, epsilon=n / 255), 255)
    if name == "agn":
        noise = foolbox.attacks.L2AdditiveGaussianNoiseAttack()
        torch.manual_seed(case.seed)
        length = float(torch.randn(case.image.shape).norm())
        return first(model, case, lambda n: seeded(noise, model, case, criterion, n / 1000 * length), 1000)
    attack = {
        "bun": lambda: foolbox.attacks.LinearSearchBlendedUniformNoiseAttack(directions=1000, steps=1000),
        "spn": lambda: foolbox.attacks.SaltAndPepperNoiseAttack(steps=1000),
        "newtonfool": lambda: foolbox.attacks.NewtonFoolAttack(**settings),
        "deepfool": lambda: foolbox.attacks.L2DeepFoolAttack(loss="logits", **settings),
        "cw": lambda: foolbox.attacks.L2CarliniWagnerAttack(**settings),
    }[name]()
    torch.manual_seed(case.seed)
    return attack.run(model, case.image, criterion)


def seeded(attack: object, model: PyTorchModel, case: Case, criterion: object, epsilon: float) -> Tensor:
    torch.manual_seed(case.seed)
    return attack.run(model, case.image, criterion, epsilon=epsilon)  # type: ignore[attr-defined, no-any-return]


def first(model: PyTorchModel, case: Case, at: Callable[[int], Tensor], most: int) -> Tensor:
    for level in range(1, most + 1):
        if wrong(model, image := at(level), case):
            break
    return image


def wrong(model: PyTorchModel, image: Tensor, case: Case) -> bool:
    with torch.no_grad():
        return int(model(image).argmax()) != case.label


def linear(margins: Margins, most: int, width: int = 1) -> int | None:
    """What the search is to find."""
    return next((level for level in range(1, most + 1) if margins([level])[0] > 0), None)


def plain(attack: Attack, classifier: Classifier, case: Case) -> Outcome:
    """The same attack with a linear search."""
    search, growing.weakest = growing.weakest, linear  # type: ignore[assignment]
    try:
        return ours(attack, classifier, case)
    finally:
        growing.weakest = search


def ours(attack: Attack, classifier: Classifier, case: Case) -> Outcome:
    return perturb(attack, classifier, case.image, [case.label], seeds=[case.seed])[0]


def saved(model: PyTorchModel, found: Tensor, case: Case) -> Tensor:
    """Foolbox's image made to survive 8 bits."""
    for power in range(60):
        image = rounded(case.image + 1.1**power * (found - case.image))
        if wrong(model, image, case):
            break
    return image


Result = TypeVar("Result")


def timed(function: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def measure(name: str, classifier: Classifier, images: Sequence[Case]) -> Row:
    attack, model = find(name), PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    mine, other, mended, same = [], [], 0.0, 0
    for case in images:
        mine.append(timed(lambda case=case: ours(attack, classifier, case)))
        if name != "adef":  # which Foolbox 3 has not
            other.append(timed(lambda case=case: foolbox_alone(name, model, case)))
            mended += timed(lambda case=case, found=other[-1][0]: saved(model, found, case))[1]
        if name in SEARCHES:
            same += plain(attack, classifier, case).facts == mine[-1][0].facts
    row = Row(
        attack=name,
        images=len(images),
        success=sum(outcome.success for outcome, _ in mine),
        seconds=sum(seconds for _, seconds in mine),
        l2=statistics.median(outcome.norms["l2"] for outcome, _ in mine),
        queries=statistics.median(outcome.queries for outcome, _ in mine),
        as_linear=same if name in SEARCHES else None,
    )
    return replace(row, **beside(row, model, images, other, mended)) if other else row


def beside(
    row: Row, model: PyTorchModel, images: Sequence[Case], other: Sequence[tuple[Tensor, float]], mended: float
) -> dict[str, Any]:
    """Foolbox's columns."""
    seconds = sum(each for _, each in other)
    found = [(image, case) for case, (image, _) in zip(images, other, strict=True)]
    return {
        "foolbox_success": sum(wrong(model, image, case) for image, case in found),
        "foolbox_file": sum(wrong(model, rounded(image), case) for image, case in found),
        "foolbox_seconds": seconds,
        "foolbox_l2": statistics.median(float((image - case.image).norm()) for image, case in found),
        "ratio": seconds / row.seconds,
        "ratio_saved": (seconds + mended) / row.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="dp-attack's attacks beside Foolbox alone.")
    parser.add_argument("--images", type=int, default=20, help="the most images (20)")
    parser.add_argument("--out", type=Path, help="a JSON file for the table")
    parser.add_argument("attacks", nargs="*", default=list(PAPER), help=", ".join(PAPER))
    options = parser.parse_args()
    torch.set_num_threads(1)
    classifier = load("efficientnet-lite0", device="cpu")
    images, rows = cases(classifier, options.images), []
    ours(find("gs"), classifier, images[0])  # what is slow the first time
    columns = Row.__dataclass_fields__
    print("  ".join(f"{name:>{max(8, len(name))}}" for name in columns))
    for name in options.attacks:
        rows.append(asdict(measure(name, classifier, images)))
        shown = [
            f"{value:.4g}" if isinstance(value, float) else ("-" if value is None else str(value))
            for value in rows[-1].values()
        ]
        print("  ".join(f"{value:>{max(8, len(key))}}" for key, value in zip(columns, shown, strict=True)), flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
