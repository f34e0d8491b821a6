"""Attacks on a classifier behind a purifier."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dptools.attacks import DefendedModel, find, perturb


class Sum(nn.Module):
    """Two classes by brightness."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([images.sum(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))], dim=1)


def test_the_model_averages_over_fresh_seeds_and_its_gradient_is_that_of_the_identity() -> None:
    used = []

    def purify(images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        used.extend(seeds)
        return (images * 2).round() / 2

    image = torch.full((1, 3, 4, 4), 0.3, requires_grad=True)
    scores = DefendedModel(Sum().eval(), purify, eot_samples=3, seed=7)(image)
    assert scores.tolist() == [[24.0, 0.5]]
    scores[0, 0].backward()
    assert image.grad is not None
    assert image.grad.unique().tolist() == [1.0]
    assert used == [7, 8, 9]


def test_success_is_judged_with_seeds_that_the_search_has_not_used() -> None:
    def purify(images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        return images - 2 * (seeds[0] % 2)  # every odd seed fools the classifier without an attack

    image = torch.full((1, 3, 4, 4), 100 / 255)
    successes = []
    for seed in range(6):
        model = DefendedModel(Sum().eval(), purify, eot_samples=1, seed=seed)
        (result,) = perturb(find("gs").configure(ceiling=0.02), model, image, [0], seeds=[0], repair=False)
        successes.append((result.success_float, result.success))
    assert successes == [successes[0], successes[1]] * 3  # the seed decides, not the search
    assert all(first != second for first, second in successes)
