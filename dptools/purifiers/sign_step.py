"""The sign step, which subtracts an estimate of a dense perturbation."""

import torch
from torch import Tensor

from dptools.purifiers.texture import noise_level

SPREAD = 0.5
"""Smallest noise level of a dense perturbation, divided by its standard deviation. Impulses have a smaller value."""


def sign_step(images: Tensor, outputs: Tensor) -> Tensor:
    """Return the images without an estimate of their perturbations.

    FGSM changes each value by plus or minus the same amount, and other attacks with a limit in Linf change most values
    so. What a denoiser removes also contains texture, but mostly has the sign of the perturbation. Its noise level
    estimates the amount. Where the sign is right, the texture of the image stays.

    Args:
        images: B x 3 x H x W.
        outputs: the same images, denoised.
    """
    removed = images - outputs
    amounts = torch.stack([noise_level(part) for part in removed]).to(images.dtype)
    return images - amounts[:, None, None, None] * removed.sign()


def is_dense(removed: Tensor, levels: tuple[float, float], correlation: float) -> bool:
    """Return whether what was removed from an image contains a dense perturbation of moderate strength.

    Args:
        removed: 3 x H x W or 1 x 3 x H x W.
        levels: the smallest and the largest noise level of such a perturbation.
        correlation: the smallest correlation of its signs; see :func:`sign_correlation`.
    """
    level, std = float(noise_level(removed.detach())), float(removed.detach().std())
    smallest, largest = levels
    return smallest <= level <= largest and level >= SPREAD * std and sign_correlation(removed) >= correlation


def sign_correlation(removed: Tensor) -> float:
    """Return the mean product of the signs of neighbouring values, -1 to 1.

    It is about 0 for independent noise, which is best left to the denoiser. It is 0.14 to 0.27 for what a denoiser
    removes from images that were attacked with gradients, and higher for texture.

    Args:
        removed: ... x H x W.
    """
    signs = removed.detach().sign()
    pairs = [(signs[..., 1:, :], signs[..., :-1, :]), (signs[..., 1:], signs[..., :-1])]
    products = [float((one * other).mean()) for one, other in pairs if one.numel()]
    return sum(products) / len(products) if products else 0.0
