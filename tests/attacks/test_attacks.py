"""Attacks: they succeed on the image as saved, by the smallest means, and the same way every time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dptools.attacks import ATTACKS, find, perturb
from dptools.attacks.lattice import rounded, to_lattice
from dptools.attacks.perturbation import norms
from dptools.classifiers import Classifier, load
from dptools.errors import UsageError


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="module")
def image(classifier: Classifier, dog: Path) -> Tensor:
    return classifier.tensor(np.asarray(Image.open(dog).convert("RGB")))


def errs(classifier: Classifier, image: Tensor) -> bool:
    return int(classifier.probabilities(image).argmax()) != 243


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_adversarial_as_saved(name: str, classifier: Classifier, image: Tensor) -> None:
    before = torch.random.get_rng_state()
    outcome = perturb(find(name), classifier, image, 243, seed=1)
    assert outcome.success
    assert outcome.success_float
    assert errs(classifier, outcome.image)
    assert torch.equal(outcome.image, rounded(outcome.image))
    assert outcome.norms == norms(outcome.image - image)
    assert outcome.queries > 1
    again = perturb(find(name), classifier, image, 243, seed=1)
    assert torch.equal(outcome.image, again.image)
    assert torch.equal(before, torch.random.get_rng_state())


def test_gradient_sign_is_the_smallest_that_succeeds(classifier: Classifier, image: Tensor) -> None:
    outcome = perturb(find("gs"), classifier, image, 243, seed=0)
    level = outcome.norms["linf_255"]
    graded = image.clone().requires_grad_()
    torch.nn.functional.cross_entropy(classifier(graded), torch.tensor([243])).backward()
    assert graded.grad is not None
    steps = [rounded((image + n / 255 * graded.grad.sign()).clamp(0, 1)) for n in range(1, int(level) + 1)]
    assert [errs(classifier, step) for step in steps] == [False] * (len(steps) - 1) + [True]
    assert torch.equal(steps[-1], outcome.image)


def test_deepfool_is_smaller_than_gradient_sign(classifier: Classifier, image: Tensor) -> None:
    found = {name: perturb(find(name), classifier, image, 243, seed=0).norms["l2"] for name in ("gs", "deepfool")}
    assert found["deepfool"] < found["gs"] / 3


def test_norms_of_a_known_perturbation() -> None:
    perturbation = torch.zeros(1, 3, 2, 2)
    perturbation[0, 0, 0, 0] = 3 / 255
    perturbation[0, 1, 0, 0] = -4 / 255
    assert norms(perturbation) == {
        "l0": pytest.approx(2 / 12),
        "l2": pytest.approx(5 / 255),
        "linf": pytest.approx(4 / 255),
        "linf_255": 4,
    }


def test_the_lattice_repair_takes_the_smallest_growth_that_works() -> None:
    clean = torch.full((1, 3, 4, 4), 100 / 255)
    asked = []

    def beyond_three_steps(image: Tensor) -> bool:
        asked.append((image - clean).max().item() * 255)
        return asked[-1] > 2.9

    saved = to_lattice(clean, clean + 1.4 / 255, beyond_three_steps)
    assert (saved - clean).max().item() * 255 == pytest.approx(3, abs=1e-3)
    assert asked == sorted(asked)


def test_the_lattice_repair_gives_the_plain_rounding_where_nothing_helps() -> None:
    clean = torch.full((1, 3, 4, 4), 100 / 255)
    adversarial = clean + 0.6 / 255
    assert torch.equal(to_lattice(clean, adversarial, lambda _: False), rounded(adversarial))


def test_an_unknown_attack_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown attack 'fgsm': choose gs, deepfool, all"):
        find("fgsm")
