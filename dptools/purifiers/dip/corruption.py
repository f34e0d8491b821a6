"""The noise that the warm network learns to take off photographs. No attack and no classifier takes part."""

import random
from collections.abc import Callable

import torch
from torch import Tensor

Corruption = Callable[[Tensor, random.Random], Tensor]
"""A noisy image of a clean one, 3 x H x W in [0, 1]; what leaves the range is cut off later."""


def gaussian(image: Tensor, draw: random.Random) -> Tensor:
    """Up to a standard deviation of 80/255; one time in seven the same in all three channels."""
    noise = torch.randn_like(image[:1] if draw.random() < 0.15 else image)
    return image + draw.uniform(2, 80) / 255 * noise


def faint(image: Tensor, draw: random.Random) -> Tensor:
    """Gaussian, up to 25/255."""
    return image + draw.uniform(2, 25) / 255 * torch.randn_like(image)


def blended(image: Tensor, draw: random.Random) -> Tensor:
    """Mixed with uniform noise, which takes contrast too; that shall come back."""
    share = draw.uniform(0, 0.75)
    return (1 - share) * image + share * torch.rand_like(image)


def salt_and_pepper(image: Tensor, draw: random.Random) -> Tensor:
    """Up to a third of the pixels white or black; three times in ten of the values."""
    share = draw.uniform(0, 0.35) * draw.random() ** 0.5
    chance = torch.rand_like(image if draw.random() < 0.3 else image[:1])
    return torch.where(chance < share / 2, 0.0, torch.where(chance > 1 - share / 2, 1.0, image))


def none(image: Tensor, _: random.Random) -> Tensor:
    """Nothing."""
    return image


CORRUPTIONS: dict[Corruption, float] = {gaussian: 0.3, blended: 0.23, salt_and_pepper: 0.23, faint: 0.18, none: 0.06}
"""How often each is drawn."""


def corrupt(image: Tensor, draw: random.Random) -> Tensor:
    """One kind of noise in 8 bits, as in a file; and a quarter of the time jitter on it, as a restoration adds it."""
    kind = draw.choices(list(CORRUPTIONS), list(CORRUPTIONS.values()))[0]
    noisy = (kind(image, draw).clamp(0, 1) * 255).round() / 255
    if draw.random() < 0.25:
        noisy = noisy + draw.uniform(0, 20) / 255 * torch.randn_like(image)
    return noisy
