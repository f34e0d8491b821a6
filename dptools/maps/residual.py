"""Text masks from the residual of an early image prior (Deep Protection paper, section 3.4).

The first iterations of a deep image prior give background and roads; what it lacks yet, the residual, holds the text.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    """H x W x 3 in [0, 1]."""

    Mask = NDArray[np.uint8]
    """H x W, 255 for text and 0 elsewhere."""


def paper(image: "Image", prior: "Image") -> "Mask":
    """The paper's rule, "if all RGB pixels are greater than 0.6 x mean of image be 255 else be 0".

    The paper does not say of which image. Read on the residual, prior minus image, where dark text on a light map
    stands out bright, it gives the text; read on the map itself it would give the paper it is printed on.
    """
    residual = (prior - image).clip(0, 1)
    bright = (residual > 0.6 * residual.mean()).all(axis=2)
    mask: Mask = bright.astype("uint8") * 255
    return mask


RULES: "dict[str, Callable[[Image, Image], Mask]]" = {"paper": paper}


def text_mask(image: "Image", prior: "Image", rule: str = "paper") -> "Mask":
    """The mask that a rule gives.

    Args:
        image: the map.
        prior: the deep image prior's output for it after few iterations.
        rule: a name in RULES.
    """
    return RULES[rule](image, prior)
