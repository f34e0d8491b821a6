"""Attacks: they succeed on the image as saved, by the smallest means, and the same way every time."""

import random

import numpy as np
import pytest
import torch
from foolbox import PyTorchModel
from foolbox.attacks import LinearSearchBlendedUniformNoiseAttack
from foolbox.criteria import Misclassification
from foolbox.distances import l2
from torch import Tensor, nn

from dptools.attacks import ATTACKS, PAPER, Attack, AttackResult, DefendedModel, Setting, configure, find, perturb
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import rounded
from dptools.attacks.perturbation import norms, solve
from dptools.attacks.query_counter import BLOCK, in_blocks
from dptools.classifiers import Classifier

CAT = 281


def attack(name: str, *settings: str, epsilon: str | None = None, aimed: bool = False) -> Attack:
    return configure(find(name), [Setting.parse(text) for text in settings], epsilon, aimed=aimed)


def once(given: Attack, classifier: nn.Module, image: Tensor, seed: int = 1, target: int | None = None) -> AttackResult:
    return perturb(given, classifier, image, [243], seeds=[seed], target=target)[0]


def predicted(classifier: Classifier, image: Tensor) -> int:
    return int(classifier.probabilities(image).argmax())


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_adversarial_as_saved(name: str, classifier: Classifier, image: Tensor) -> None:
    quick = attack(name, *(["steps=20", "binary_search_steps=2"] if name == "cw" else []))
    states = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index, union-attr]
    outcome = once(quick, classifier, image)
    assert outcome.success
    assert outcome.success_float
    assert predicted(classifier, outcome.image) != 243
    assert torch.equal(outcome.image, rounded(outcome.image))
    assert outcome.norms == norms(outcome.image - image)
    assert torch.allclose(outcome.scores, classifier(outcome.image)[0])
    assert outcome.queries > 1
    again = once(quick, classifier, image)
    assert torch.equal(outcome.image, again.image)
    assert outcome.queries == again.queries
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index, union-attr]
    assert random.getstate() == states[2]


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].together])
def test_images_attacked_together_come_out_as_alone(name: str, classifier: Classifier, image: Tensor) -> None:
    given = attack(name, *(["steps=3"] if name in ("pgd", "adef", "deepfool") else []))
    images, labels, seeds = torch.cat([image, image.flip(3)]), [243, 243], [5, 6]
    both = solve(given, AttackBatch(classifier, images, labels, seeds=seeds))
    for row in range(2):
        (alone,) = solve(given, AttackBatch(classifier, images[row : row + 1], [243], seeds=seeds[row : row + 1]))
        assert torch.equal(both[row].image, alone.image)
        assert (both[row].queries, both[row].facts) == (alone.queries, alone.facts)


def test_gradient_sign_is_the_smallest_that_succeeds(classifier: Classifier, image: Tensor) -> None:
    outcome = once(find("gs"), classifier, image)
    level = outcome.norms["linf_255"]
    graded = image.clone().requires_grad_()
    torch.nn.functional.cross_entropy(classifier(graded), torch.tensor([243])).backward()
    assert graded.grad is not None
    steps = [rounded((image + n / 255 * graded.grad.sign()).clamp(0, 1)) for n in range(1, int(level) + 1)]
    assert [predicted(classifier, step) != 243 for step in steps] == [False] * (len(steps) - 1) + [True]
    assert torch.equal(steps[-1], outcome.image)


def test_salt_and_pepper_is_just_that_at_the_weakest_of_its_strengths(classifier: Classifier, image: Tensor) -> None:
    outcome = once(attack("spn", "steps=32"), classifier, image)
    changed = (outcome.image != image).any(dim=1)
    values = outcome.image.movedim(1, -1)[changed]
    assert set(values.flatten().tolist()) == {0.0, 1.0}
    assert (values == values[:, :1]).all()
    share = outcome.facts["strength"]
    assert float(changed.float().mean()) == pytest.approx(share, rel=0.1)
    weaker = [
        once(attack("spn", f"steps={n}", f"ceiling={n / 32}"), classifier, image) for n in range(1, round(share * 32))
    ]
    assert weaker
    assert not any(each.success for each in weaker)


def test_a_blend_is_as_weak_as_foolbox_finds_it(classifier: Classifier, image: Tensor) -> None:
    outcome = once(find("bun"), classifier, image, seed=3)
    model = PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    torch.manual_seed(3)
    foolbox = LinearSearchBlendedUniformNoiseAttack(distance=l2, steps=1000)
    found, _, success = foolbox(model, image, Misclassification(torch.tensor([243])), epsilons=None)
    assert success.all()
    assert float((found - image).norm()) == pytest.approx(outcome.norms["l2"], rel=0.005)
    assert outcome.queries < 40


def test_deepfool_is_smaller_than_gradient_sign(classifier: Classifier, image: Tensor) -> None:
    found = {name: once(find(name), classifier, image).norms["l2"] for name in ("gs", "deepfool")}
    assert found["deepfool"] < found["gs"] / 3


@pytest.mark.parametrize(
    ("name", "epsilon", "norm"), [("gs", "1.5/255", "linf"), ("agn", "2", "l2"), ("pgd", "2.5/255", "linf")]
)
def test_no_perturbation_as_saved_is_beyond_epsilon(
    name: str, epsilon: str, norm: str, classifier: Classifier, image: Tensor
) -> None:
    given = attack(name, epsilon=epsilon)
    assert given.epsilon is not None
    assert 0 < once(given, classifier, image).norms[norm] <= given.epsilon


@pytest.mark.parametrize("name", ["adef", "pgd", "LinfPGD"])
def test_a_targeted_attack_reaches_its_class(name: str, classifier: Classifier, image: Tensor) -> None:
    given = attack(name, epsilon="4/255" if "pgd" in name.lower() else None, aimed=True)
    target = CAT if "pgd" in name.lower() else 242
    outcome = once(given, classifier, image, target=target)
    assert outcome.success
    assert predicted(classifier, outcome.image) == target


def test_an_attack_of_foolbox_is_seeded_like_the_rest(classifier: Classifier, image: Tensor) -> None:
    given = attack("L2AdditiveUniformNoiseAttack", epsilon="20")
    first, same, other = (once(given, classifier, image, seed).image for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_carlini_wagner_that_finds_nothing_changes_nothing(classifier: Classifier, image: Tensor) -> None:
    outcome = once(attack("cw", "steps=1", "binary_search_steps=1", "initial_const=1e-9"), classifier, image)
    assert not outcome.success
    assert outcome.norms["l0_count"] == 0


def test_the_paper_is_attacked_in_its_order() -> None:
    assert list(ATTACKS)[: len(PAPER)] == list(PAPER)


class Sum(nn.Module):
    """Two classes by brightness; it has memory for so many images, and tells how many it is shown."""

    def __init__(self, room: int = 99) -> None:
        super().__init__()
        self.room, self.shown = room, list[int]()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.shown.append(len(images))
        if len(images) > self.room:
            raise MemoryError
        return torch.stack([images.sum(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))], dim=1)


def test_a_classifier_is_always_asked_about_as_many_images() -> None:
    classifier, images = Sum(), torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(in_blocks(classifier, images, 3), Sum()(images))
    assert classifier.shown == [3, 3, 3]


def test_where_memory_does_not_suffice_fewer_are_asked_about_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BLOCK, "cpu", 8)
    classifier, images = Sum(room=2), torch.full((5, 3, 4, 4), 100 / 255)
    outcomes = perturb(find("gs"), classifier, images, [0] * 5, seeds=range(5))
    assert len(outcomes) == 5
    assert BLOCK["cpu"] == 2
    assert classifier.shown[:3] == [8, 4, 2]
    alone = perturb(find("gs"), Sum(), images[:1], [0], seeds=[0])
    assert torch.equal(outcomes[0].image, alone[0].image)


def test_one_image_too_large_for_the_memory_is_an_error() -> None:
    with pytest.raises(MemoryError):
        perturb(find("gs"), Sum(room=0), torch.zeros(1, 3, 4, 4), [0], seeds=[0])


def test_an_attack_through_a_defence_sees_what_the_defence_gives() -> None:
    asked = []

    def defence(image: Tensor, seed: int) -> Tensor:
        asked.append(seed)
        return (image * 2).round() / 2

    image = torch.full((1, 3, 4, 4), 0.3, requires_grad=True)
    scores = DefendedModel(Sum(), defence, draws=3, seed=7)(image)
    assert scores.tolist() == [[24.0, 0.5]]
    scores[0, 0].backward()
    assert image.grad is not None
    assert image.grad.unique().tolist() == [1.0]  # the defence counts as the identity
    assert asked == [7, 8, 9]


def test_an_attack_through_a_defence_is_judged_by_other_draws() -> None:
    def defence(image: Tensor, seed: int) -> Tensor:
        return image - 2 * (seed % 2)  # every other seed fools the classifier by itself

    image = torch.full((1, 3, 4, 4), 100 / 255)
    found = []
    for seed in range(6):
        victim = DefendedModel(Sum(), defence, draws=1, seed=seed)
        (outcome,) = perturb(attack("gs", "ceiling=0.02"), victim, image, [0], seeds=[0], repair=False)
        found.append((outcome.success_float, outcome.success))
    assert found == [found[0], found[1]] * 3  # the seed decides, not what the search saw
    assert all(first != second for first, second in found)
