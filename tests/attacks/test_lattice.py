"""Rounding to 8 bits: images stay adversarial, with small changes that keep the budget."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import round_adversarial, round_further, round_to_8bit, round_within_budget
from dptools.attacks.norms import Budget, perturbation_norms


class Linear(nn.Module):
    """Two classes: the second is predicted if the weighted sum of the values exceeds a threshold."""

    def __init__(self, weights: Tensor, threshold: float) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.threshold = threshold
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        lead = (images * self.weights).sum(dim=(1, 2, 3)) - self.threshold
        return torch.stack([torch.zeros_like(lead), lead], dim=1)


def grey_batch(distance: float, level: int = 100) -> AttackBatch:
    """Return a grey image below the threshold by ``distance`` 8-bit steps of its most important value."""
    weights = torch.linspace(0.1, 1, 3 * 8 * 8).view(1, 3, 8, 8)
    clean = torch.full((1, 3, 8, 8), level / 255)
    return AttackBatch(Linear(weights, float((clean * weights).sum()) + distance / 255), clean, [0], seeds=[0])


def succeeds(batch: AttackBatch, image: Tensor) -> bool:
    return bool(batch.margins(0, image) > 0)


@pytest.mark.parametrize("distance", [0.4, 3.3, 40, 200])
def test_a_perturbation_undone_by_rounding_is_repaired_with_few_changes(distance: float) -> None:
    batch = grey_batch(distance)
    unrounded = (
        batch.images + 1.001 * distance / 255 * batch.classifier.weights / batch.classifier.weights.square().sum()
    )
    assert succeeds(batch, unrounded)
    saved = round_adversarial(batch, 0, unrounded, Budget())
    assert succeeds(batch, saved)
    assert torch.equal(saved, round_to_8bit(saved))
    assert perturbation_norms(saved - batch.images)["linf_255"] <= 5
    assert (saved - batch.images).norm() <= 2.5 * max((unrounded - batch.images).norm(), torch.tensor(2 / 255))


def test_a_rounded_image_that_succeeds_is_not_changed() -> None:
    batch = grey_batch(30)
    unrounded = batch.images + 1.2 / 255
    assert torch.equal(round_adversarial(batch, 0, unrounded, Budget()), round_to_8bit(unrounded))


def test_if_the_repair_fails_the_result_is_the_rounded_image() -> None:
    batch = grey_batch(10**6)
    unrounded = batch.images + 0.6 / 255
    assert torch.equal(round_adversarial(batch, 0, unrounded, Budget()), round_to_8bit(unrounded))


@given(
    st.sampled_from(["l1", "l2", "linf"]),
    st.floats(0.3, 6),
    st.integers(0, 255),
    st.floats(0.5, 300),
    st.randoms(use_true_random=False),
)
def test_no_image_exceeds_the_budget(norm: str, steps: float, level: int, distance: float, random: object) -> None:
    batch = grey_batch(distance, level)
    generator = torch.Generator().manual_seed(random.getrandbits(32))  # type: ignore[attr-defined]
    noise = torch.rand(batch.images.shape, generator=generator) * 2 - 1
    unrounded = (batch.images + steps / 255 * noise.sign() * noise.abs()).clamp(0, 1)
    unit = {"l1": noise.abs().sum(), "l2": noise.norm(), "linf": noise.abs().max()}[norm]
    epsilon = float(unit) * steps / 255
    budget = Budget(norm, epsilon)
    for image in (round_adversarial(batch, 0, unrounded, budget), round_within_budget(batch.images, unrounded, budget)):
        perturbation = (image - batch.images).double()
        size = {"l1": perturbation.abs().sum(), "l2": perturbation.norm(), "linf": perturbation.abs().max()}[norm]
        assert float(size) <= epsilon * (1 + 1e-5) + 1e-5
        assert torch.equal(image, round_to_8bit(image))


@pytest.mark.parametrize(("norm", "epsilon"), [("l2", 0.5), ("l2", 2.0), ("l1", 20.0), ("linf", 3 / 255)])
def test_rounding_keeps_the_size_and_the_direction_of_a_perturbation_with_a_limit(norm: str, epsilon: float) -> None:
    """Most changes are smaller than an 8-bit step. Rounded towards the clean image, they would be lost."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.full((1, 3, 64, 64), 100 / 255)
    change = torch.randn(clean.shape, generator=generator)
    change *= epsilon / {"l1": change.abs().sum(), "l2": change.norm(), "linf": change.abs().max()}[norm]
    saved = round_within_budget(clean, clean + change, Budget(norm, epsilon)) - clean
    size = {"l1": saved.abs().sum(), "l2": saved.norm(), "linf": saved.abs().max()}[norm]
    assert 0.99 * epsilon < float(size) <= epsilon * (1 + 1e-5)
    assert float((saved * change).sum() / saved.norm() / change.norm()) > 0.75


def test_a_perturbation_that_rounding_undoes_grows_if_the_model_gives_no_gradient() -> None:
    reference = grey_batch(40)

    class WithoutGradient(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            scores: Tensor = reference.classifier(images.detach())
            return scores

    batch = AttackBatch(WithoutGradient().eval(), reference.images, [0], seeds=[0])
    direction = torch.linspace(0.1, 1, 192).view(1, 3, 8, 8)
    unrounded = batch.images
    for size in range(1, 100):
        unrounded = batch.images + size / 100 / 255 * direction
        if succeeds(batch, unrounded) and not succeeds(batch, round_to_8bit(unrounded)):
            break
    saved = round_further(batch, 0, unrounded, Budget())
    assert succeeds(batch, saved)
    assert torch.equal(saved, round_to_8bit(saved))


def test_a_budget_of_whole_steps_is_used_completely() -> None:
    clean = torch.full((1, 3, 2, 2), 100 / 255)
    for steps in (1, 3, 8):
        unrounded = clean + steps / 255
        assert (
            perturbation_norms(round_within_budget(clean, unrounded, Budget("linf", steps / 255)) - clean)["linf_255"]
            == steps
        )


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.03137), ("linf", 0.00392), ("l2", 0.99951 * 192**0.5 / 255)])
def test_a_budget_just_below_whole_steps_is_not_exceeded(norm: str, epsilon: float) -> None:
    clean = torch.full((1, 3, 8, 8), 100 / 255)
    change = epsilon if norm == "linf" else epsilon / 192**0.5
    budget = Budget(norm, epsilon)
    assert budget.allows(clean, round_within_budget(clean, clean + change, budget))


def test_norms_of_a_known_perturbation() -> None:
    perturbation = torch.zeros(1, 3, 2, 2)
    perturbation[0, 0, 0, 0] = 3 / 255
    perturbation[0, 1, 0, 0] = -4 / 255
    assert perturbation_norms(perturbation) == {
        "l0": 2 / 12,
        "l0_count": 2,
        "l2": pytest.approx(5 / 255),
        "l2_255": pytest.approx(5),
        "linf": 4 / 255,
        "linf_255": 4,
    }
