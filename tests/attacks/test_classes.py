"""Every class of Foolbox can be named, and what is said of it is so."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dptools.attacks import Setting, configure, find
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.classes import classes
from dptools.attacks.lattice import Budget
from dptools.attacks.perturbation import AttackResult, solve
from dptools.errors import SampleError, SetupError

FEW = {
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
EPSILONS = {"linf": "0.3", "l2": "5", "l1": "60", "l0": "50"}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 5)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image() -> Tensor:
    return (torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


def attack(name: str, network: nn.Module, image: Tensor, *, aimed: bool) -> AttackResult | str:
    """What came of it, or why nothing did."""
    found = replace(find(name), targets="may")
    settings = [Setting(None, key, str(value)) for key, value in FEW.items() if key in found.params]
    ready = configure(found, settings, EPSILONS[found.norm or ""] if found.bounded else None, aimed=aimed)
    ranked = network(image)[0].argsort(descending=True).tolist()
    problem = AttackBatch(network, image, ranked[:1], seeds=[0], target=ranked[1] if aimed else None)
    try:
        (outcome,) = solve(ready, problem)
    except (SampleError, SetupError) as error:
        return str(error)
    assert Budget.of(ready.norm, ready.epsilon).allows(image, outcome.image)
    assert outcome.image.any()
    return outcome


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, found in classes().items() if name == found.__name__])
def test_each_runs_or_says_why_not(name: str, network: nn.Module, image: Tensor) -> None:
    results = {"no": attack(name, network, image, aimed=False), "must": attack(name, network, image, aimed=True)}
    refused = {"no": "must", "must": "no", "may": None}[find(name).targets]
    for aim, result in results.items():
        reasons = ("pip install", "cannot attack it: init_attack failed", "cannot attack it: Foolbox does not say")
        assert isinstance(result, AttackResult) or any(map(result.__contains__, reasons)) or aim == refused


@pytest.mark.parametrize("name", ["LinfFastGradientAttack", "NewtonFoolAttack", "VirtualAdversarialAttack"])
def test_those_that_cannot_aim_are_known(name: str, network: nn.Module, image: Tensor) -> None:
    assert find(name).targets == "no"
    assert "unsupported criterion" in str(attack(name, network, image, aimed=True))


@pytest.mark.parametrize("epsilon", [None, "1"])
@pytest.mark.parametrize("name", ["L2CarliniWagnerAttack", "EADAttack", "cw"])
def test_a_search_that_finds_nothing_changes_nothing(
    name: str, epsilon: str | None, network: nn.Module, image: Tensor
) -> None:
    texts = [*["steps=1", "binary_search_steps=1", "initial_const=1e-9"]]
    if epsilon and name == "EADAttack":
        epsilon = "100"
    given = configure(find(name), [Setting.parse(text) for text in texts], epsilon, aimed=False)
    label = int(network(image).argmax())
    (outcome,) = solve(given, AttackBatch(network, image, [label], seeds=[0]))
    assert not outcome.success
    assert torch.equal(outcome.image, image)


def test_an_attack_that_divides_by_zero_changes_nothing(image: Tensor) -> None:
    class Certain(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.sum(dim=(1, 2, 3))[:, None] * torch.tensor([[1e6, -1e6]])

    (outcome,) = solve(find("newtonfool"), AttackBatch(Certain().eval(), image, [0], seeds=[0]))
    assert not outcome.success
    assert torch.equal(outcome.image, image)
