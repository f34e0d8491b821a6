"""Sign steps, which subtract estimates of a dense perturbation."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dptools.purifiers.sign_settings import SignSteps
from dptools.purifiers.texture import noise_level


def sign_steps(
    images: Tensor,
    outputs: Tensor,
    levels: Sequence[float],
    settings: SignSteps,
    denoise: Callable[[Tensor, list[int], bool], Tensor],
) -> list[tuple[Tensor | None, int]]:
    """Return for each image the output after sign steps, 1 x 3 x H x W, and the number of times that it was denoised.

    The output is None if what the denoiser removed is not a dense perturbation.

    Args:
        images: B x 3 x H x W.
        outputs: the same images, denoised.
        levels: the noise level of what was removed from each image.
        settings: the number of steps, and what counts as dense.
        denoise: denoises some of the images. Its second argument is their indices; the third one tells whether the step
            is the last one.
    """
    results: list[tuple[Tensor | None, int]] = [(None, 0)] * len(images)
    candidates = _candidates((images - outputs).detach(), levels, settings) if settings.steps else {}
    if not candidates:
        return results
    rows = list(candidates)
    outputs = denoise(sign_step(images[rows], outputs[rows]), rows, settings.steps == 1)
    levels_after = noise_levels((images[rows] - outputs).detach()).flatten().tolist()
    dense = []
    for index, (row, level_after) in enumerate(zip(rows, levels_after, strict=True)):
        results[row] = None, 1
        if candidates[row] - settings.by_growth * level_after / levels[row] >= settings.evidence:
            dense.append(index)
    if not dense:
        return results
    outputs, rows = outputs[dense], [rows[index] for index in dense]
    for number in range(2, settings.steps + 1):
        outputs = denoise(sign_step(images[rows], outputs), rows, number == settings.steps)
    for row, output in zip(rows, torch.split(outputs, 1), strict=True):
        results[row] = output, settings.steps
    return results


def sign_step(images: Tensor, outputs: Tensor) -> Tensor:
    """Return images without estimates of their perturbations.

    FGSM changes each value by plus or minus the same amount, and other attacks with a limit in Linf change most values
    so. What a denoiser removes also contains texture, but mostly has the sign of the perturbation. Its noise level
    estimates the amount. Where the sign is right, the texture of the image stays.

    Args:
        images: B x 3 x H x W.
        outputs: the same images, denoised.
    """
    removed = images - outputs
    return images - noise_levels(removed).to(images.dtype) * removed.sign()


def noise_levels(removed: Tensor) -> Tensor:
    """Return the noise level of what was removed from each image, B x 1 x 1 x 1, float64."""
    return torch.stack([noise_level(part) for part in removed]).view(-1, 1, 1, 1)


def sign_correlation(removed: Tensor) -> float:
    """Return the mean product of the signs of neighbouring values, -1 to 1.

    It is about 0 for independent noise, which is best left to the denoiser. It is 0.14 to 0.27 for what a denoiser
    removes from images that were attacked with gradients, and higher for texture.

    Args:
        removed: ... x H x W.
    """
    signs = removed.sign()
    pairs = [(signs[..., 1:, :], signs[..., :-1, :]), (signs[..., 1:], signs[..., :-1])]
    products = [float((one * other).mean()) for one, other in pairs if one.numel()]
    return sum(products) / len(products) if products else 0.0


def _candidates(removed: Tensor, levels: Sequence[float], settings: SignSteps) -> dict[int, float]:
    """Return the indices of the images that may have a dense perturbation, with the evidence before growth counts.

    What was removed from them may also be texture.
    """
    candidates = {}
    smallest, largest = settings.levels
    for index, (part, level) in enumerate(zip(removed, levels, strict=True)):
        moderate = smallest <= level <= largest and level >= settings.spread * float(part.std())
        if not moderate or sign_correlation(part) < settings.correlation:
            continue
        evidence = _share_near(part, level) + settings.by_level * math.log(255 * level)
        if evidence - settings.by_growth >= settings.evidence:  # otherwise too little, even if the level does not grow
            candidates[index] = evidence
    return candidates


def _share_near(removed: Tensor, level: float) -> float:
    """Return the share of values whose magnitude is 0.5 to 1.5 times the noise level."""
    return float(((removed.abs() - level).abs() < level / 2).float().mean())
