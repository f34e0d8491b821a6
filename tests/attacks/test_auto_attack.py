"""AutoAttack: agreement with the authors' code, budgets, random states and early ends."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from networks import IMAGE, LABEL, NETWORK, SEED, Network
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import Tensor, nn

from dptools.attacks import DefendedModel, TransferSource, find, perturb
from dptools.attacks.attack_batch import AttackBatch
from dptools.errors import SampleError

EPSILON = {"linf": 16 / 255, "l2": 3.0}


REFERENCES = {
    "apgd-ce": lambda **common: APGDAttack(NETWORK, n_iter=20, loss="ce", **common),
    "apgd-dlr": lambda **common: APGDAttack(NETWORK, n_iter=20, loss="dlr", **common),
    "apgd-t": lambda **common: APGDAttack_targeted(NETWORK, n_iter=20, n_target_classes=3, **common),
    "fab-t": lambda **common: FABAttack_PT(NETWORK, n_iter=20, targeted=True, n_target_classes=3, **common),
    "square": lambda **common: SquareAttack(NETWORK, n_queries=200, resc_schedule=False, **common),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "apgd-ce": {"steps": 20},
    "apgd-dlr": {"steps": 20},
    "apgd-t": {"steps": 20, "targets": 3},
    "fab-t": {"steps": 20, "targets": 3},
    "square": {"queries": 200},
}


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", REFERENCES)
def test_the_attacks_are_those_of_the_reference_implementation(name: str, norm: str) -> None:
    options = {"norm": {"linf": "Linf", "l2": "L2"}[norm], "eps": EPSILON[norm], "seed": SEED, "device": "cpu"}
    torch.manual_seed(SEED)
    expected = REFERENCES[name](**options).perturb(IMAGE.clone(), torch.tensor([LABEL]))
    attack = find(name).configure(norm=norm, epsilon=EPSILON[norm], **SETTINGS[name])
    found = attack(AttackBatch(NETWORK, IMAGE, [LABEL], seeds=[SEED])).images
    broken = int(NETWORK(expected).argmax()) != LABEL
    assert (int(NETWORK(found).argmax()) != LABEL) == broken
    if broken:  # otherwise the reference returns the clean image
        assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", [*REFERENCES, "autoattack", "pgd"])
def test_saved_images_are_within_the_budget_and_global_random_states_are_untouched(name: str, norm: str) -> None:
    before = torch.get_rng_state()
    attack = find(name).configure(norm=norm, epsilon=EPSILON[norm], **SETTINGS.get(name, {"steps": 20}))
    results = [perturb(attack, NETWORK, IMAGE, [LABEL], seeds=[SEED])[0] for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(results[0].image, results[1].image)
    assert results[0].norms[norm] <= EPSILON[norm] * (1 + 1e-5)
    assert torch.equal((results[0].image * 255).round() / 255, results[0].image)


def test_autoattack_names_the_part_that_succeeded() -> None:
    (result,) = perturb(find("autoattack").configure(epsilon=16 / 255), NETWORK, IMAGE, [LABEL], seeds=[SEED])
    assert result.success
    assert result.measurements == {"component": "apgd-ce"}


@pytest.mark.parametrize("epsilon", [0.15, 0.2, 0.25, 0.3])
def test_autoattack_is_no_weaker_than_its_parts_if_rounding_undoes_them(epsilon: float) -> None:
    part = find("apgd-ce").configure(norm="l2", epsilon=epsilon, steps=20)
    whole = find("autoattack").configure(norm="l2", epsilon=epsilon, steps=20, queries=5)
    (alone,), (together,) = (perturb(attack, NETWORK, IMAGE, [LABEL], seeds=[SEED]) for attack in (part, whole))
    assert together.success >= alone.success
    assert bool(together.success_float) >= bool(alone.success_float)


class Quantised(nn.Module):
    """The network behind rounding, whose gradient is 0 almost everywhere."""

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = NETWORK((images * 16).round() / 16)
        return scores


def test_square_breaks_a_model_whose_gradient_is_zero() -> None:
    model, label = Quantised().eval(), int(Quantised()(IMAGE).argmax())
    masked, free = (
        perturb(find(name).configure(epsilon=16 / 255, **SETTINGS[name]), model, IMAGE, [label], seeds=[SEED])[0]
        for name in ("apgd-t", "square")
    )
    assert free.success
    assert free.norms["linf"] <= 16 / 255 + 1e-6
    assert masked.queries > 0
    (whole,) = perturb(find("autoattack").configure(epsilon=16 / 255, steps=3), model, IMAGE, [label], seeds=[SEED])
    assert whole.success


def test_square_in_l2_refuses_an_image_that_it_cannot_tile() -> None:
    with pytest.raises(SampleError, match="cannot tile 24 pixels"):
        perturb(find("square").configure(norm="l2"), NETWORK, IMAGE[..., :24, :24], [LABEL])


def test_a_network_with_three_classes_is_an_error_of_the_image() -> None:
    network = Network(classes=3).eval()
    label = int(network(IMAGE).argmax())
    with pytest.raises(SampleError, match="four classes, and the classifier has 3"):
        perturb("apgd-t", network, IMAGE, [label])


class Noise:
    """A random, differentiable purifier."""

    differentiable = True
    random = True

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        noise = [torch.randn(1, *images.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return images + 0.02 * torch.cat(noise)


def test_autoattack_chooses_the_random_version_behind_a_random_defence() -> None:
    model = DefendedModel(NETWORK, Noise(), eot_samples=4, seed=9)
    attack = find("autoattack").configure(epsilon=8 / 255, steps=10)
    (result,) = perturb(attack, model, IMAGE, [LABEL], seeds=[SEED], repair=False)
    assert result.measurements["component"] in ("apgd-ce", "apgd-dlr")
    assert result.judgement is not None
    assert result.success == (result.judgement.majority != LABEL)


@pytest.mark.parametrize("name", ["apgd-ce", "apgd-t", "autoattack"])
def test_an_image_that_the_source_of_a_transfer_misclassifies_is_perturbed_too(name: str) -> None:
    wrong = (LABEL + 1) % 7
    attack = find(name).configure(steps=5, **({"queries": 5} if name == "autoattack" else {}))
    (plain,) = perturb(attack, NETWORK, IMAGE, [wrong], seeds=[SEED])
    assert plain.norms["linf"] == 0  # as in the authors' code
    (moved,) = perturb(attack, TransferSource(NETWORK), IMAGE, [wrong], seeds=[SEED])
    assert moved.norms["linf"] > 0


@pytest.mark.parametrize("name", ["apgd-t", "square", "newtonfool", "gs", "deepfool"])
def test_some_transferred_attacks_end_when_they_fool_their_source(name: str) -> None:
    attack = find(name).configure(**({"epsilon": 16 / 255} if find(name).norm == "linf" else {}))
    plain, moved = (
        perturb(attack, model, IMAGE, [LABEL], seeds=[SEED])[0] for model in (NETWORK, TransferSource(NETWORK))
    )
    assert plain.success
    assert (moved.queries > 2 * plain.queries) == (name == "apgd-t")
