"""Sign steps, which subtract estimates of a dense perturbation."""

import math
from collections.abc import Callable

from torch import Tensor

from dptools.purifiers.sign_settings import SignSteps
from dptools.purifiers.texture import noise_level


def sign_steps(
    image: Tensor, output: Tensor, settings: SignSteps, denoise: Callable[[Tensor, bool], Tensor]
) -> tuple[Tensor | None, int]:
    """Return an image, denoised after sign steps, and the number of times that it was denoised.

    The image is None if what the denoiser removed is not a dense perturbation.

    Args:
        image: 1 x 3 x H x W.
        output: the same image, denoised.
        settings: the number of steps, and what counts as dense.
        denoise: denoises an image; its second argument tells whether the step is the last one.
    """
    removed = (image - output).detach()
    level = float(noise_level(removed))
    if not settings.steps or not _resembles_dense(removed, level, settings):
        return None, 0
    evidence = _evidence(removed, level, settings)
    if evidence - settings.by_growth < settings.evidence:  # too little even if the noise level does not grow
        return None, 0
    for number in range(1, settings.steps + 1):
        output = denoise(sign_step(image, output), number == settings.steps)
        growth = float(noise_level((image - output).detach())) / level
        if number == 1 and evidence - settings.by_growth * growth < settings.evidence:
            return None, 1
    return output, settings.steps


def sign_step(image: Tensor, output: Tensor) -> Tensor:
    """Return an image without an estimate of its perturbation.

    FGSM changes each value by plus or minus the same amount, and other attacks with a limit in Linf change most values
    so. What a denoiser removes also contains texture, but mostly has the sign of the perturbation. Its noise level
    estimates the amount. Where the sign is right, the texture of the image stays.

    Args:
        image: 1 x 3 x H x W.
        output: the same image, denoised.
    """
    removed = image - output
    return image - noise_level(removed).to(image.dtype) * removed.sign()


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


def _resembles_dense(removed: Tensor, level: float, settings: SignSteps) -> bool:
    """Return whether the removed part, with its noise level, may be a dense perturbation. It may also be texture."""
    smallest, largest = settings.levels
    moderate = smallest <= level <= largest and level >= settings.spread * float(removed.std())
    return moderate and sign_correlation(removed) >= settings.correlation


def _evidence(removed: Tensor, level: float, settings: SignSteps) -> float:
    """Return the evidence of a dense perturbation, apart from the growth."""
    share = float(((removed.abs() - level).abs() < level / 2).float().mean())
    return share + settings.by_level * math.log(255 * level)
