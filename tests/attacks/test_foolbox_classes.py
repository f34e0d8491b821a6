"""Every attack class of Foolbox runs, and its description is true."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dptools.attacks import find
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.foolbox_classes import foolbox_classes
from dptools.attacks.norms import Budget
from dptools.attacks.perturbation import AttackResult, run_batch
from dptools.errors import SampleError, SetupError

# Small values that keep the tests fast.
FAST = {
    "steps": 4,
    "num_translations": 2,
    "num_rotations": 2,
    "repeats": 3,
    "population": 4,
    "directions": 3,
    "max_gradient_eval_steps": 10,
    "initial_gradient_eval_steps": 5,
    "binary_search_steps": 2,
}
EPSILONS = {"linf": 0.3, "l2": 5.0, "l1": 60.0, "l0": 50.0}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 5)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image() -> Tensor:
    return (torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


def attack(name: str, network: nn.Module, image: Tensor, *, targeted: bool) -> AttackResult | str:
    """Return the result of an attack, or the message of the error."""
    attack = replace(find(name), targets="may")
    settings: dict[str, Any] = {key: value for key, value in FAST.items() if key in attack.params}
    epsilon = EPSILONS[attack.norm or ""] if attack.needs_epsilon else None
    attack = attack.configure(epsilon=epsilon, **settings)
    ranked = network(image)[0].argsort(descending=True).tolist()
    batch = AttackBatch(network, image, ranked[:1], seeds=[0], target=ranked[1] if targeted else None)
    try:
        (result,) = run_batch(attack, batch)
    except (SampleError, SetupError) as error:
        return str(error)
    assert Budget(attack.norm, attack.epsilon).allows(image, result.image)
    assert result.image.any()
    return result


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, class_ in foolbox_classes().items() if name == class_.__name__])
def test_each_class_runs_or_states_why_it_cannot(name: str, network: nn.Module, image: Tensor) -> None:
    results = {
        "no": attack(name, network, image, targeted=False),
        "must": attack(name, network, image, targeted=True),
    }
    unsupported = {"no": "must", "must": "no", "may": None}[find(name).targets]
    for targets, result in results.items():
        reasons = ("pip install", "failed: init_attack failed", "failed: Foolbox gives no reason")
        assert isinstance(result, AttackResult) or any(map(result.__contains__, reasons)) or targets == unsupported


@pytest.mark.parametrize("name", ["LinfFastGradientAttack", "NewtonFoolAttack", "VirtualAdversarialAttack"])
def test_untargeted_classes_are_recognised(name: str, network: nn.Module, image: Tensor) -> None:
    assert find(name).targets == "no"
    assert "unsupported criterion" in str(attack(name, network, image, targeted=True))


@pytest.mark.parametrize("epsilon", [None, 1.0])
@pytest.mark.parametrize("name", ["L2CarliniWagnerAttack", "EADAttack", "cw"])
def test_an_attack_that_finds_nothing_returns_the_clean_image(
    name: str, epsilon: float | None, network: nn.Module, image: Tensor
) -> None:
    if epsilon and name == "EADAttack":
        epsilon = 100.0
    given = find(name).configure(steps=1, binary_search_steps=1, initial_const=1e-9, epsilon=epsilon)
    label = int(network(image).argmax())
    (result,) = run_batch(given, AttackBatch(network, image, [label], seeds=[0]))
    assert not result.success
    assert torch.equal(result.image, image)


def test_an_attack_that_divides_by_zero_returns_the_clean_image(image: Tensor) -> None:
    class Certain(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.sum(dim=(1, 2, 3))[:, None] * torch.tensor([[1e6, -1e6]])

    (result,) = run_batch(find("newtonfool"), AttackBatch(Certain().eval(), image, [0], seeds=[0]))
    assert not result.success
    assert torch.equal(result.image, image)
