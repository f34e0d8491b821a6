"""An attacker who knows the restoration: what it is called, what is said meanwhile, and what it sees."""

import logging

import pytest
import torch
from torch import Tensor, nn

from dptools.attacks import Setting, configure, find, perturb
from dptools.errors import UsageError
from dptools.tools.attack.defence import DefenceOptions


class Brightness(nn.Module):
    """Two classes: dark and bright."""

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)


def test_every_question_is_a_restoration_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    victim = DefenceOptions("denoise", draws=2).victim(Brightness().eval(), 7, "a.png@pgd")
    image = torch.full((1, 3, 16, 16), 0.8, requires_grad=True)
    with caplog.at_level(logging.INFO, logger="dptools"):
        scores = victim(image)
    assert [record.getMessage() for record in caplog.records] == [
        "a.png@pgd: restoration 1",
        "a.png@pgd: restoration 2",
    ]
    assert scores[0, 1] > scores[0, 0]
    scores[0, 1].backward()
    assert image.grad is not None
    assert torch.allclose(image.grad, torch.full_like(image, 1 / image.numel()))


def test_an_attack_of_foolbox_gets_through(caplog: pytest.LogCaptureFixture) -> None:
    image = torch.full((1, 3, 16, 16), 128 / 255)
    victim = DefenceOptions("denoise").victim(Brightness().eval(), 7, "a.png@pgd")
    given = configure(find("pgd"), [Setting.parse("steps=2")], "8/255", aimed=False)
    with caplog.at_level(logging.INFO, logger="dptools"):
        (outcome,) = perturb(given, victim, image, [1], seeds=[0], repair=False)
    assert 0 < outcome.norms["linf_255"] <= 8
    assert len(caplog.records) >= 4  # two steps, and two verdicts


def test_without_a_defence_the_classifier_itself_is_attacked() -> None:
    classifier = Brightness()
    assert DefenceOptions().victim(classifier, 0, "x") is classifier
    assert DefenceOptions().facts == {}


@pytest.mark.parametrize(
    ("through", "message"),
    [
        ("jpeg", "--through jpeg: choose denoise or denoise:PRESET"),
        ("denoise:quick", "unknown preset 'quick': choose default, photo, cold, paper"),
    ],
)
def test_an_unknown_defence_is_refused(through: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DefenceOptions(through)


def test_the_record_says_what_was_attacked() -> None:
    assert DefenceOptions("denoise", draws=3).facts == {"through": "denoise:default", "eot": 3}
