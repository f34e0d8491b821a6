"""Rounding to 8 bits: what it undoes is mended, by little, and never beyond the budget."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import Budget, nearest, rounded, to_lattice
from dptools.attacks.perturbation import norms


class Linear(nn.Module):
    """Two classes; the second wins where the weighted sum of the values is beyond a threshold."""

    def __init__(self, weights: Tensor, threshold: float) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.threshold = threshold
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        lead = (images * self.weights).sum(dim=(1, 2, 3)) - self.threshold
        return torch.stack([torch.zeros_like(lead), lead], dim=1)


def problem(beyond: float, level: int = 100) -> AttackBatch:
    """A grey image whose lead is so much below the threshold, in 8-bit steps of its most important value."""
    weights = torch.linspace(0.1, 1, 3 * 8 * 8).view(1, 3, 8, 8)
    clean = torch.full((1, 3, 8, 8), level / 255)
    return AttackBatch(Linear(weights, float((clean * weights).sum()) + beyond / 255), clean, [0], seeds=[0])


def succeeds(given: AttackBatch, image: Tensor) -> bool:
    return bool(given.margins(0, image) > 0)


@pytest.mark.parametrize("beyond", [0.4, 3.3, 40, 200])
def test_what_rounding_undoes_is_mended_by_the_values_that_matter_most(beyond: float) -> None:
    given = problem(beyond)
    exact = given.images + 1.001 * beyond / 255 * given.classifier.weights / given.classifier.weights.square().sum()
    assert succeeds(given, exact)
    saved = to_lattice(given, 0, exact, Budget())
    assert succeeds(given, saved)
    assert torch.equal(saved, rounded(saved))
    assert norms(saved - given.images)["linf_255"] <= 5
    assert (saved - given.images).norm() <= 2.5 * max((exact - given.images).norm(), torch.tensor(2 / 255))


def test_a_rounding_that_succeeds_is_left_as_it_is() -> None:
    given = problem(30)
    exact = given.images + 1.2 / 255
    assert torch.equal(to_lattice(given, 0, exact, Budget()), rounded(exact))


def test_where_nothing_helps_the_plain_rounding_is_given() -> None:
    given = problem(10**6)
    exact = given.images + 0.6 / 255
    assert torch.equal(to_lattice(given, 0, exact, Budget()), rounded(exact))


@settings(deadline=None)
@given(
    st.sampled_from(["l1", "l2", "linf"]),
    st.floats(0.3, 6),
    st.integers(0, 255),
    st.floats(0.5, 300),
    st.randoms(use_true_random=False),
)
def test_no_image_is_beyond_the_budget(norm: str, steps: float, level: int, beyond: float, random: object) -> None:
    given = problem(beyond, level)
    generator = torch.Generator().manual_seed(random.getrandbits(32))  # type: ignore[attr-defined]
    noise = torch.rand(given.images.shape, generator=generator) * 2 - 1
    exact = (given.images + steps / 255 * noise.sign() * noise.abs()).clamp(0, 1)
    size = {"l1": noise.abs().sum(), "l2": noise.norm(), "linf": noise.abs().max()}[norm]
    epsilon = float(size) * steps / 255
    budget = Budget.of(norm, epsilon)
    for image in (to_lattice(given, 0, exact, budget), nearest(given.images, exact, budget)):
        perturbation = (image - given.images).double()
        found = {"l1": perturbation.abs().sum(), "l2": perturbation.norm(), "linf": perturbation.abs().max()}[norm]
        assert float(found) <= epsilon * (1 + 1e-5) + 1e-5
        assert torch.equal(image, rounded(image))


def test_a_budget_of_whole_steps_is_used_to_its_end() -> None:
    clean = torch.full((1, 3, 2, 2), 100 / 255)
    for steps in (1, 3, 8):
        exact = clean + steps / 255
        assert norms(nearest(clean, exact, Budget.of("linf", steps / 255)) - clean)["linf_255"] == steps


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.03137), ("linf", 0.00392), ("l2", 0.99951 * 192**0.5 / 255)])
def test_a_budget_just_below_whole_steps_is_kept(norm: str, epsilon: float) -> None:
    clean = torch.full((1, 3, 8, 8), 100 / 255)
    change = epsilon if norm == "linf" else epsilon / 192**0.5
    budget = Budget.of(norm, epsilon)
    assert budget.allows(clean, nearest(clean, clean + change, budget))


def test_norms_of_a_known_perturbation() -> None:
    perturbation = torch.zeros(1, 3, 2, 2)
    perturbation[0, 0, 0, 0] = 3 / 255
    perturbation[0, 1, 0, 0] = -4 / 255
    assert norms(perturbation) == {
        "l0": 2 / 12,
        "l0_count": 2,
        "l2": pytest.approx(5 / 255),
        "l2_255": pytest.approx(5),
        "linf": 4 / 255,
        "linf_255": 4,
    }
