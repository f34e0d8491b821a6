"""Attacks on a classifier behind a purification method."""

import logging

import pytest
import torch
from torch import Tensor, nn

from dptools.attacks import find, perturb
from dptools.errors import UsageError
from dptools.purifiers import METHODS
from dptools.tools.attack.defence import Defence, DefenceOptions

CPU = torch.device("cpu")


class Brightness(nn.Module):
    """Two classes: dark and bright."""

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)


def load(through: str, eot_samples: int | None = None) -> Defence:
    defence = DefenceOptions(through, eot_samples).load(CPU)
    assert defence is not None
    return defence


def test_every_purification_is_logged_and_the_gradient_is_that_of_the_identity(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = load("denoiser", 2).model(Brightness().eval(), seed=7, image_id="a.png@pgd")
    image = torch.full((1, 3, 16, 16), 0.8, requires_grad=True)
    with caplog.at_level(logging.INFO, logger="dptools"):
        scores = model(image)
    assert [record.getMessage() for record in caplog.records] == [
        "a.png@pgd: purification 1",
        "a.png@pgd: purification 2",
    ]
    assert scores[0, 1] > scores[0, 0]
    scores[0, 1].backward()
    assert image.grad is not None
    assert torch.allclose(image.grad, torch.full_like(image, 1 / image.numel()))


@pytest.mark.parametrize("through", ["denoiser", "photo", "jpeg:50"])
def test_pgd_attacks_the_classifier_behind_a_method(through: str, caplog: pytest.LogCaptureFixture) -> None:
    image = torch.full((1, 3, 16, 16), 128 / 255)
    model = load(through).model(Brightness().eval(), seed=7, image_id="a.png@pgd")
    attack = find("pgd").configure(steps=2, epsilon=8 / 255)
    with caplog.at_level(logging.INFO, logger="dptools"):
        (result,) = perturb(attack, model, image, [1], seeds=[0], repair=False)
    assert 0 < result.norms["linf_255"] <= 8
    assert len(caplog.records) >= 4  # two steps, and the image before and after rounding


def test_the_same_seed_gives_the_same_logits() -> None:
    image = 0.4 + 0.02 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))  # no noise is recognised
    defence, network = load("denoiser"), Brightness().eval()
    first, same, other = (defence.model(network, seed=seed, image_id="x")(image) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_without_a_method_there_is_no_defence() -> None:
    assert DefenceOptions().load(CPU) is None
    assert DefenceOptions().facts == {}


@pytest.mark.parametrize(
    ("through", "message"),
    [
        ("denoise", f"--through: unknown method 'denoise': choose {', '.join(METHODS)}"),
        ("denoiser:quick", "--through: method denoiser:quick: give .* from 1 to 100"),
        ("jpeg:0", "--through: .*from 1 to 95"),
    ],
)
def test_an_unknown_method_or_value_is_rejected(through: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DefenceOptions(through)


def test_eot_without_a_method_is_rejected() -> None:
    with pytest.raises(UsageError, match="--eot needs --through"):
        DefenceOptions(eot_samples=3)


@pytest.mark.parametrize(
    ("through", "eot_samples", "facts"),
    [
        ("denoiser", 3, {"through": "denoiser", "eot": 3}),
        ("paper", None, {"through": "paper", "eot": 1}),
        ("jpeg:50", None, {"through": "jpeg:50", "eot": 1}),
    ],
)
def test_the_record_states_the_method_and_the_draws(
    through: str, eot_samples: int | None, facts: dict[str, object]
) -> None:
    assert DefenceOptions(through, eot_samples).facts == facts
