"""The sign step, which subtracts an estimate of a dense perturbation."""

from torch import Tensor

from dptools.purifiers.texture import noise_level


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
    signs = removed.detach().sign()
    pairs = [(signs[..., 1:, :], signs[..., :-1, :]), (signs[..., 1:], signs[..., :-1])]
    products = [float((one * other).mean()) for one, other in pairs if one.numel()]
    return sum(products) / len(products) if products else 0.0
