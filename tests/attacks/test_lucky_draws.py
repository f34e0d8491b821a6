"""One draw of a random defence that happens to be fooled does not decide the result of an attack."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from networks import IMAGE, LABEL, NETWORK, SEED
from torch import Tensor, nn

from dptools.attacks import DefendedModel, find, perturb


class Noise:
    """A random, differentiable purifier, which adds noise."""

    differentiable = True
    random = True

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        noise = [torch.randn(1, *images.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return images + 0.1 * torch.cat(noise)


class Lucky:
    """A purifier that returns a nearly grey image in every third draw, which fools the classifier."""

    differentiable = True
    random = True

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        grey = 0.55 + (images - 0.5) / 50
        return torch.cat(
            [(image if seed % 3 else grey[:1]) for image, seed in zip(images[:, None], seeds, strict=True)]
        )


FASTER: dict[str, dict[str, Any]] = {
    "cw": {"steps": 40, "stepsize": 0.02, "binary_search_steps": 3},
    "DDNAttack": {"steps": 40},
}


def fooled(name: str, target: int | None = None) -> list[float]:
    """Return for several random seeds the share of fresh draws that an attack fools."""
    shares = []
    for seed in range(4):
        model = DefendedModel(NETWORK, Noise(), seed=1000 * seed)
        attack = find(name).configure(**FASTER.get(name, {}))
        (result,) = perturb(attack, model, IMAGE, [LABEL], seeds=[SEED], target=target, repair=False)
        assert result.judgement is not None
        share = result.judgement.share
        shares.append(1 - share(LABEL) if target is None else share(target))
    return shares


@pytest.mark.parametrize("name", ["deepfool", "adef", "cw", "LinfDeepFoolAttack", "DDNAttack"])
def test_an_attack_that_looks_for_the_nearest_image_fools_fresh_draws(name: str) -> None:
    assert min(fooled(name)) > 0.5


@pytest.mark.parametrize("name", ["adef", "cw"])
def test_a_targeted_attack_that_looks_for_the_nearest_image_fools_fresh_draws(name: str) -> None:
    target = int(NETWORK(IMAGE).argsort()[0, -2])
    assert min(fooled(name, target)) > 0.5


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("HopSkipJumpAttack", {"steps": 4, "initial_gradient_eval_steps": 10, "max_gradient_eval_steps": 20}),
        ("SaltAndPepperNoiseAttack", {"steps": 50}),
        ("BinarySearchContrastReductionAttack", {}),
    ],
)
def test_an_attack_without_gradients_fools_fresh_draws(name: str, settings: dict[str, int]) -> None:
    image = ((0.7 + IMAGE / 10) * 255).round() / 255
    for seed in (1000, 2000):
        model = DefendedModel(NETWORK, Noise(), seed=seed)
        label = int(NETWORK(image).argmax())
        (result,) = perturb(find(name).configure(**settings), model, image, [label], seeds=[SEED], repair=False)
        assert result.success


def test_deepfool_leaves_the_label_even_if_the_first_draw_predicts_another_class() -> None:
    lucky = DefendedModel(NETWORK, Lucky(), seed=0)
    assert int(DefendedModel(NETWORK, Lucky(), seed=0)(IMAGE).argmax()) != LABEL
    behind, plain = (perturb("deepfool", model, IMAGE, [LABEL], repair=False)[0] for model in (lucky, NETWORK))
    assert behind.success
    assert behind.norms["l2"] < 4 * plain.norms["l2"]


def test_one_lucky_draw_does_not_end_the_search() -> None:
    model = DefendedModel(NETWORK, Lucky(), seed=0)
    attack = find("apgd-ce").configure(epsilon=16 / 255, steps=20)
    (result,) = perturb(attack, model, IMAGE, [LABEL], seeds=[SEED], repair=False)
    assert result.success  # most draws are fooled, not one
    assert result.norms["linf"] > 8 / 255


@pytest.mark.parametrize("name", ["agn", "spn"])
def test_one_lucky_draw_does_not_end_a_search_for_the_weakest_perturbation(name: str) -> None:
    def judged(*, lucky: bool) -> float:
        model: nn.Module = DefendedModel(NETWORK, Lucky(), seed=0) if lucky else NETWORK
        (result,) = perturb(find(name), model, IMAGE, [LABEL], seeds=[SEED], repair=False)
        return result.norms["l2"]

    assert judged(lucky=True) >= 0.9 * judged(lucky=False)
