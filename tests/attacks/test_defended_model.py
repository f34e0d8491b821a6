"""Attacks on a classifier behind a purifier."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from dptools.attacks import DefendedModel, Judgement, TransferSource, find, perturb
from dptools.attacks.defended_model import KEPT_GRAPHS


class Sum(nn.Module):
    """Two classes by brightness."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([images.sum(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))], dim=1)


class Scale:
    """A purifier whose draws scale the image by different factors; it counts its images."""

    differentiable = True
    random = True

    def __init__(self) -> None:
        self.used: list[int] = []

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        self.used += seeds
        factors = torch.tensor([1 + (seed % 7) / 10 for seed in seeds]).view(-1, 1, 1, 1)
        return images**2 * factors


class Threshold:
    """A purifier that decides by the seed whether the classifier sees the image or a black one. It has no gradient."""

    differentiable = False
    random = True

    def __init__(self, failing: Sequence[int]) -> None:
        self.failing = failing

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        return torch.cat([image[None] - 2 * (seed in self.failing) for image, seed in zip(images, seeds, strict=True)])


IMAGE = torch.full((1, 3, 4, 4), 0.3)


def gradient_of(model: nn.Module, image: Tensor) -> Tensor:
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[0, 0], leaf)
    return gradient


def test_the_exact_gradient_is_the_mean_over_fresh_draws_with_bounded_memory() -> None:
    purifier = Scale()
    draws = KEPT_GRAPHS + 2
    model = DefendedModel(Sum().eval(), purifier, eot_samples=draws, seed=3)
    gradient = gradient_of(model, IMAGE)
    factors = [1 + (seed % 7) / 10 for seed in range(3, 3 + draws)]
    assert gradient.mean() == pytest.approx(2 * 0.3 * sum(factors) / draws)
    # The draws whose graphs were not kept are computed again with their own seeds.
    assert purifier.used == [*range(3, 3 + draws), 3 + draws - 2, 3 + draws - 1]
    assert model.restorations == len(purifier.used)
    gradient_of(model, IMAGE)
    assert min(purifier.used[-draws:]) >= 3 + draws


def test_bpda_replaces_the_gradient_by_that_of_the_identity() -> None:
    def purify(images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        return (images * 2).round() / 2

    model = DefendedModel(Sum().eval(), purify, eot_samples=3, seed=7)
    assert model.gradient == "bpda"
    assert model(IMAGE).tolist() == [[24.0, 0.5]]
    assert gradient_of(model, IMAGE).unique().tolist() == [1.0]


def test_a_surrogate_gives_the_gradient_but_not_the_value() -> None:
    model = DefendedModel(Sum().eval(), Threshold([]), seed=0, surrogate=Scale())
    assert model.gradient == "surrogate"
    assert model(IMAGE)[0, 0] == pytest.approx(0.3 * 48)
    assert gradient_of(model, IMAGE).mean() > 0.6  # not 1, the gradient of the identity


def test_a_gradient_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no exact gradient"):
        DefendedModel(Sum(), Threshold([]), seed=0, gradient="exact")
    with pytest.raises(ValueError, match="needs a surrogate"):
        DefendedModel(Sum(), Threshold([]), seed=0, gradient="surrogate")


def test_with_a_fixed_draw_every_purification_is_the_same() -> None:
    purifier = Scale()
    model = DefendedModel(Sum().eval(), purifier, eot_samples=5, seed=11, fixed_draw=True)
    assert len(model.judge(IMAGE)) == 1
    model(IMAGE)
    assert set(purifier.used) == {11}


def test_the_images_that_judge_can_be_rounded_as_in_files() -> None:
    model = DefendedModel(Sum().eval(), Scale(), seed=0, judges=1, judges_8bit=True)
    brightest = []
    model.confirms(IMAGE, lambda logits: brightest.append(255 * float(logits[0, 1])) is None)
    brightest.append(255 * float(model.judge(IMAGE)[0, 1]))
    assert brightest == [pytest.approx(round(255 * 0.09), abs=1e-4), pytest.approx(round(255 * 0.09 * 1.1), abs=1e-4)]
    assert 255 * float(model(IMAGE)[0, 1]) == pytest.approx(255 * 0.09 * 1.2)  # not rounded for the attack


def test_success_is_judged_by_most_of_several_fresh_draws() -> None:
    image = torch.full((1, 3, 4, 4), 100 / 255)
    for failing, success, share in ((range(100), True, 0.0), ([9, 10, 11], False, 0.7), ([], False, 1.0)):
        model = DefendedModel(Sum().eval(), Threshold(failing), seed=6, judges=10)
        (result,) = perturb(find("FGSM").configure(epsilon=1 / 255), model, image, [0], seeds=[0], repair=False)
        assert result.judgement is not None
        assert (result.success, round(result.judgement.share(0), 3)) == (success, share)
        assert result.judgement.draws == 10


def test_an_attack_ends_once_all_fresh_draws_fail() -> None:
    image = torch.full((1, 3, 4, 4), 100 / 255)
    attack = find("pgd").configure(epsilon=1 / 255, steps=50)
    (broken,) = perturb(attack, DefendedModel(Sum().eval(), Threshold(range(1000)), seed=0), image, [0], repair=False)
    assert broken.success
    assert broken.queries < 5
    transferred = TransferSource(DefendedModel(Sum().eval(), Threshold(range(1000)), seed=0))
    perturb(attack, transferred, image, [0], repair=False)
    assert transferred.restorations > 40
    # Now some of the draws that judge are correct, so the attack goes on to its last step.
    almost = DefendedModel(Sum().eval(), Threshold(range(0, 1000, 2)), seed=0)
    perturb(attack, almost, image, [0], repair=False)
    assert almost.restorations > 50


def test_the_majority_is_the_most_frequent_class_and_ties_go_to_the_larger_mean_logit() -> None:
    votes = Judgement(torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [9.0, 0.0, 0.0]]))
    assert (votes.majority, votes.share(1), votes.is_success(1, None), votes.is_success(0, 1)) == (
        1,
        2 / 3,
        False,
        True,
    )
    assert Judgement(torch.tensor([[0.0, 1.0], [5.0, 0.0]])).majority == 0
