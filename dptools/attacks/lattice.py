"""From an adversarial image in real numbers to one of 8 bits that is adversarial still."""

from collections.abc import Callable

from torch import Tensor

GROWTH = 1.1
"""Each try is a tenth stronger than the one before."""

TRIES = 40
"""The last is 1.1**39 = 41 times the perturbation."""


def to_lattice(clean: Tensor, adversarial: Tensor, errs: Callable[[Tensor], bool]) -> Tensor:
    """The 8-bit image of the smallest growth of the perturbation on which the classifier errs.

    Minimal attacks end so close behind the border between two classes that rounding to 8 bits brings them back.

    Args:
        clean: 1 x 3 x H x W, multiples of 1/255.
        adversarial: the same shape, in [0, 1].
        errs: whether the classifier errs on an image.

    Returns:
        Multiples of 1/255; the plain rounding where no growth helps.
    """
    growth = 1.0
    for _ in range(TRIES):
        image = rounded(clean + growth * (adversarial - clean))
        if errs(image):
            return image
        growth *= GROWTH
    return rounded(adversarial)


def rounded(image: Tensor) -> Tensor:
    """The nearest multiples of 1/255 in [0, 1]."""
    return (image * 255).round().clamp(0, 255) / 255
