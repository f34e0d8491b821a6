"""Synthetic noise that the denoiser is trained to remove. It depends on no attack and no classifier."""

import random
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

Noise = Callable[[Tensor], Tensor]
"""A function from clean images, B x 3 x H x W in [0, 1], to noisy images, which may leave [0, 1].

Each image has its own noise level.
"""


def _levels(images: Tensor, low: float, high: float) -> Tensor:
    """Return one noise level for each image, B x 1 x 1 x 1, drawn uniformly from low to high."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)


def gaussian(images: Tensor, max_std: float = 80) -> Tensor:
    """Add Gaussian noise with a standard deviation of up to ``max_std``/255."""
    return images + _levels(images, 1, max_std) / 255 * torch.randn_like(images)


def grey(images: Tensor) -> Tensor:
    """Add Gaussian noise that is equal in the three channels."""
    return images + _levels(images, 1, 80) / 255 * torch.randn_like(images[:, :1])


def correlated(images: Tensor) -> Tensor:
    """Add Gaussian noise with a correlation length of up to 2 pixels and a standard deviation of up to 40/255."""
    radius = 3
    offsets = torch.arange(-radius, radius + 1, device=images.device).float()
    width = _levels(images, 0.3, 1.2)[:, :, 0]
    kernel = torch.exp(-0.5 * (offsets / width) ** 2)
    square = kernel[..., :, None] * kernel[..., None, :]  # B x 1 x 7 x 7
    square = (square / square.square().sum((-2, -1), keepdim=True).sqrt()).repeat_interleave(3, 0)
    noise = torch.randn(1, 3 * len(images), *images.shape[2:], device=images.device)
    smooth = conv2d(pad(noise, [radius] * 4, mode="reflect"), square, groups=3 * len(images)).view_as(images)
    return images + _levels(images, 1, 40) / 255 * smooth


def signs(images: Tensor) -> Tensor:
    """Add plus or minus up to 24/255 to each value, as perturbations bounded in Linf do."""
    return images + _levels(images, 0.5, 24) / 255 * torch.randn_like(images).sign()


def uniform(images: Tensor) -> Tensor:
    """Add uniform noise of up to 100/255."""
    return images + _levels(images, 1, 100) / 255 * (2 * torch.rand_like(images) - 1)


def blended(images: Tensor) -> Tensor:
    """Blend with uniform noise of a weight of up to 0.75. The network learns to restore the lost contrast, too."""
    return torch.lerp(images, torch.rand_like(images), _levels(images, 0, 0.75))


def impulses(images: Tensor, *, pixels: bool, random_values: bool = False) -> Tensor:
    """Replace up to 35 % of the pixels (or of the single values) by black and white, or by random values."""
    share = _levels(images, 0, 0.35) * _levels(images, 0, 1).sqrt()
    chance = torch.rand_like(images[:, :1] if pixels else images)
    other = torch.rand_like(images) if random_values else (chance < share / 2).float()
    return torch.where(chance < share, other, images)


def shot(images: Tensor) -> Tensor:
    """Add noise whose variance is proportional to the brightness (Poisson, in its Gaussian approximation)."""
    return images + _levels(images, 2, 60) / 255 * images.clamp(min=0).sqrt() * torch.randn_like(images)


def none(images: Tensor) -> Tensor:
    """Return the images unchanged."""
    return images


NOISES: dict[Noise, float] = {
    gaussian: 0.36,
    partial(gaussian, max_std=25): 0.12,
    blended: 0.12,
    partial(impulses, pixels=True): 0.09,
    partial(impulses, pixels=False): 0.04,
    partial(impulses, pixels=True, random_values=True): 0.03,
    signs: 0.06,
    correlated: 0.06,
    grey: 0.04,
    uniform: 0.03,
    shot: 0.02,
    none: 0.03,
}
"""The probability of each kind of noise."""

ROUNDED = 0.7
"""The probability that the noisy image is rounded and clipped to 8 bits, as in a file."""

EXTRA = 0.4
"""The probability that Gaussian noise of up to MAX_EXTRA/255 is added afterwards, as method ``denoiser`` adds it."""

MAX_EXTRA = 40
"""The largest standard deviation of that noise, in 1/255."""


def corrupt(images: Tensor, draw: random.Random, kinds: Mapping[Noise, float] = NOISES) -> Tensor:
    """Return the images, each with one kind of noise.

    Some of them are then rounded to 8 bits, and some get additional Gaussian noise.

    Args:
        images: B x 3 x H x W in [0, 1].
        draw: generator that chooses the kinds. The noise comes from torch's generator of the images' device.
        kinds: the weight of each kind in the choice.
    """
    counts = [0] * len(kinds)
    for number in draw.choices(range(len(kinds)), list(kinds.values()), k=len(images)):
        counts[number] += 1
    parts = zip(kinds, torch.split(images, counts), strict=True)
    noisy = torch.cat([kind(part) for kind, part in parts if len(part)])
    chance = torch.rand(len(images), 1, 1, 1, device=images.device)
    noisy = torch.where(chance < ROUNDED, (noisy.clamp(0, 1) * 255).round() / 255, noisy)
    more = torch.rand(len(images), 1, 1, 1, device=images.device) < EXTRA
    return noisy + more * _levels(images, 0, MAX_EXTRA) / 255 * torch.randn_like(images)
