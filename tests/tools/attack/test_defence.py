"""Attacks on a classifier behind a purification method."""

import logging
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dptools import purifiers
from dptools.attacks import find, perturb
from dptools.errors import UsageError
from dptools.purifiers import METHODS, parse_method
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


def test_every_purification_is_logged_and_the_gradient_is_exact(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = load("denoiser", 2).model(Brightness().eval(), "pgd", seed=7, image_id="a.png@pgd")
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
    assert image.grad.std() > 0  # the gradient of the network, not that of the identity


@pytest.mark.parametrize("through", ["denoiser", "photo", "jpeg:50"])
def test_pgd_attacks_the_classifier_behind_a_method(through: str, caplog: pytest.LogCaptureFixture) -> None:
    image = torch.full((1, 3, 16, 16), 128 / 255)
    model = load(through).model(Brightness().eval(), "pgd", seed=7, image_id="a.png@pgd")
    attack = find("pgd").configure(steps=2, epsilon=8 / 255)
    with caplog.at_level(logging.INFO, logger="dptools"):
        (result,) = perturb(attack, model, image, [1], seeds=[0], repair=False)
    assert 0 < result.norms["linf_255"] <= 8
    assert len(caplog.records) >= 4  # two steps, and the image before and after rounding


def test_the_same_seed_gives_the_same_logits() -> None:
    image = 0.4 + 0.02 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))  # no noise is recognised
    defence, network = load("denoiser"), Brightness().eval()
    first, same, other = (defence.model(network, "pgd", seed=seed, image_id="x")(image) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("through", "is_rounded"), [("fast", True), ("smooth:0.25", False)])
def test_images_are_judged_as_dp_denoise_writes_them(through: str, is_rounded: bool) -> None:
    seen: list[Tensor] = []

    class Seen(Brightness):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return super().forward(images)

    load(through).model(Seen().eval(), "pgd", seed=1, image_id="x").judge(torch.rand(1, 3, 16, 16))
    assert all(torch.equal((255 * image).round() / 255, image) == is_rounded for image in seen)


def test_without_a_method_there_is_no_defence() -> None:
    assert DefenceOptions().load(CPU) is None
    assert DefenceOptions().facts("pgd") == {}


@pytest.mark.parametrize(
    ("through", "message"),
    [
        ("denoise", r"--through: unknown method 'denoise' \(did you mean denoiser\?\): choose fast, .*, smooth:SIGMA$"),
        ("denoiser:quick", "--through: method denoiser:quick: give .* from 1 to 100"),
        ("jpeg:0", "--through: .*from 1 to 95$"),
    ],
)
def test_an_unknown_method_or_value_is_rejected(through: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DefenceOptions(through)


def test_eot_without_a_method_is_rejected() -> None:
    with pytest.raises(UsageError, match="--eot needs --through"):
        DefenceOptions(eot_samples=3)


@pytest.mark.parametrize(
    ("options", "attack", "facts"),
    [
        (
            DefenceOptions("denoiser", 3),
            "pgd",
            {"through": "denoiser", "gradient": "exact", "eot": 3, "judges": 10},
        ),
        (
            DefenceOptions("denoiser"),
            "autoattack",
            {"through": "denoiser", "gradient": "exact", "eot": 20, "judges": 10},
        ),
        (
            DefenceOptions("denoiser", gradient="bpda", judges=4),
            "pgd",
            {"through": "denoiser", "gradient": "bpda", "eot": 1, "judges": 4},
        ),
        (
            DefenceOptions("denoiser", fixed_draws=True),
            "autoattack",
            {"through": "denoiser", "gradient": "exact", "eot": 1, "fixed_draws": True},
        ),
        (DefenceOptions("paper"), "pgd", {"through": "paper", "gradient": "surrogate", "eot": 1, "judges": 10}),
        (DefenceOptions("jpeg:50"), "pgd", {"through": "jpeg:50", "gradient": "bpda", "eot": 1}),
        (DefenceOptions("photo"), "autoattack", {"through": "photo", "gradient": "exact", "eot": 1}),
    ],
)
def test_the_record_states_the_method_its_gradient_and_the_draws(
    options: DefenceOptions, attack: str, facts: dict[str, object]
) -> None:
    assert options.facts(attack) == facts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "bpda"}, "--gradient needs --through"),
        ({"judges": 3}, "--judge needs --through"),
        ({"fixed_draws": True}, "--fixed-draws needs --through"),
        ({"through": "jpeg:50", "gradient": "exact"}, "jpeg has no gradient: choose surrogate or bpda"),
        ({"through": "jpeg:50", "fixed_draws": True}, "--fixed-draws: jpeg:50 draws no random numbers"),
        ({"through": "photo", "eot_samples": 5}, "--eot: photo draws no random numbers"),
        ({"through": "jpeg:50", "judges": 5}, "--judge: jpeg:50 draws no random numbers"),
        ({"through": "smooth:3"}, "--through: smooth:3: give the standard deviation of the noise"),
        ({"through": "denoiser", "fixed_draws": True, "eot_samples": 2}, "excludes --eot and --judge"),
        ({"through": "smooth:0.25", "fixed_draws": True}, "--fixed-draws: smooth:0.25 is the vote of many draws"),
        ({"through": "denoiser", "gradient": "exakt"}, "gradient 'exakt'"),
    ],
)
def test_options_that_contradict_each_other_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DefenceOptions(**options)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_states_whether_it_is_random_and_differentiable(method: str) -> None:
    parsed, purifier = parse_method(method), purifiers.load(method)
    assert (parsed.random, parsed.differentiable) == (purifier.random, purifier.differentiable)
