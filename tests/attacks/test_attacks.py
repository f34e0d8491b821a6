"""Attacks succeed on the saved image, with small perturbations, and are reproducible."""

import random

import numpy as np
import pytest
import torch
from foolbox import PyTorchModel
from foolbox.attacks import LinearSearchBlendedUniformNoiseAttack
from foolbox.criteria import Misclassification
from foolbox.distances import l2
from torch import Tensor, nn

from dptools.attacks import ATTACKS, PAPER, Attack, AttackResult, find, perturb
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import round_to_8bit
from dptools.attacks.norms import perturbation_norms
from dptools.attacks.perturbation import run_batch
from dptools.classifiers import Classifier

CAT = 281


def attack_image(
    attack: Attack, classifier: nn.Module, image: Tensor, seed: int = 1, target: int | None = None
) -> AttackResult:
    return perturb(attack, classifier, image, [243], seeds=[seed], target=target)[0]


def predicted(classifier: Classifier, image: Tensor) -> int:
    return int(classifier.probabilities(image).argmax())


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_succeeds_on_the_saved_image_and_is_reproducible(
    name: str, classifier: Classifier, image: Tensor
) -> None:
    attack = find(name).configure(**({"steps": 20, "binary_search_steps": 2} if name == "cw" else {}))
    states = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index, union-attr]
    result = attack_image(attack, classifier, image)
    assert result.success
    assert result.success_float
    assert predicted(classifier, result.image) != 243
    assert torch.equal(result.image, round_to_8bit(result.image))
    assert result.norms == perturbation_norms(result.image - image)
    assert torch.allclose(result.scores, classifier(result.image)[0])
    assert result.queries > 1
    again = attack_image(attack, classifier, image)
    assert torch.equal(result.image, again.image)
    assert result.queries == again.queries
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index, union-attr]
    assert random.getstate() == states[2]


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].batchable])
def test_images_attacked_in_a_batch_have_the_same_results_as_alone(
    name: str, classifier: Classifier, image: Tensor
) -> None:
    attack = find(name).configure(**({"steps": 3} if name in ("pgd", "adef", "deepfool") else {}))
    images, labels, seeds = torch.cat([image, image.flip(3)]), [243, 243], [5, 6]
    both = run_batch(attack, AttackBatch(classifier, images, labels, seeds=seeds))
    for row in range(2):
        (alone,) = run_batch(attack, AttackBatch(classifier, images[row : row + 1], [243], seeds=seeds[row : row + 1]))
        assert torch.equal(both[row].image, alone.image)
        assert (both[row].queries, both[row].measurements) == (alone.queries, alone.measurements)


def test_gradient_sign_has_the_smallest_strength_that_succeeds(classifier: Classifier, image: Tensor) -> None:
    result = attack_image(find("gs"), classifier, image)
    level = result.norms["linf_255"]
    leaf = image.clone().requires_grad_()
    torch.nn.functional.cross_entropy(classifier(leaf), torch.tensor([243])).backward()
    assert leaf.grad is not None
    steps = [round_to_8bit((image + n / 255 * leaf.grad.sign()).clamp(0, 1)) for n in range(1, int(level) + 1)]
    assert [predicted(classifier, step) != 243 for step in steps] == [False] * (len(steps) - 1) + [True]
    assert torch.equal(steps[-1], result.image)


def test_salt_and_pepper_changes_the_smallest_share_of_pixels_that_succeeds(
    classifier: Classifier, image: Tensor
) -> None:
    result = attack_image(find("spn").configure(steps=32), classifier, image)
    changed = (result.image != image).any(dim=1)
    values = result.image.movedim(1, -1)[changed]
    assert set(values.flatten().tolist()) == {0.0, 1.0}
    assert (values == values[:, :1]).all()
    share = result.measurements["strength"]
    assert float(changed.float().mean()) == pytest.approx(share, rel=0.1)
    weaker = [
        attack_image(find("spn").configure(steps=n, ceiling=n / 32), classifier, image)
        for n in range(1, round(share * 32))
    ]
    assert weaker
    assert not any(result.success for result in weaker)


def test_blended_noise_is_as_small_as_that_of_foolbox(classifier: Classifier, image: Tensor) -> None:
    result = attack_image(find("bun"), classifier, image, seed=3)
    model = PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    torch.manual_seed(3)
    foolbox = LinearSearchBlendedUniformNoiseAttack(distance=l2, steps=1000)
    blended, _, success = foolbox(model, image, Misclassification(torch.tensor([243])), epsilons=None)
    assert success.all()
    assert float((blended - image).norm()) == pytest.approx(result.norms["l2"], rel=0.005)
    assert result.queries < 40


def test_deepfool_is_smaller_than_gradient_sign(classifier: Classifier, image: Tensor) -> None:
    l2_norms = {name: attack_image(find(name), classifier, image).norms["l2"] for name in ("gs", "deepfool")}
    assert l2_norms["deepfool"] < l2_norms["gs"] / 3


@pytest.mark.parametrize(
    ("name", "epsilon", "norm"), [("gs", 1.5 / 255, "linf"), ("agn", 2, "l2"), ("pgd", 2.5 / 255, "linf")]
)
def test_no_saved_perturbation_exceeds_epsilon(
    name: str, epsilon: float, norm: str, classifier: Classifier, image: Tensor
) -> None:
    attack = find(name).configure(epsilon=epsilon)
    assert 0 < attack_image(attack, classifier, image).norms[norm] <= epsilon


@pytest.mark.parametrize("name", ["adef", "pgd", "LinfPGD"])
def test_a_targeted_attack_reaches_its_class(name: str, classifier: Classifier, image: Tensor) -> None:
    attack = find(name).configure(epsilon=4 / 255 if "pgd" in name.lower() else None)
    target = CAT if "pgd" in name.lower() else 242
    result = attack_image(attack, classifier, image, target=target)
    assert result.success
    assert predicted(classifier, result.image) == target


def test_attacks_of_foolbox_are_seeded(classifier: Classifier, image: Tensor) -> None:
    attack = find("L2AdditiveUniformNoiseAttack").configure(epsilon=20)
    first, same, other = (attack_image(attack, classifier, image, seed).image for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_carlini_wagner_that_finds_nothing_returns_the_clean_image(classifier: Classifier, image: Tensor) -> None:
    attack = find("cw").configure(steps=1, binary_search_steps=1, initial_const=1e-9)
    result = attack_image(attack, classifier, image)
    assert not result.success
    assert result.norms["l0_count"] == 0


def test_the_attacks_of_the_paper_come_first_in_its_order() -> None:
    assert list(ATTACKS)[: len(PAPER)] == list(PAPER)
