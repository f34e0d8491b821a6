"""Masks of the text on a map, by several rules.

The first iterations of a deep image prior give background and roads; what it lacks yet, the residual, holds the text
(Deep Protection paper, section 3.4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    """H x W x 3 in [0, 1]."""

    Pixels = NDArray[np.uint8]
    """H x W x 3."""

    Grey = NDArray[np.uint8]
    Mask = NDArray[np.bool_]
    """H x W, true where there is text."""

SENSITIVITY = 0.4
"""Of the letters rule: among 0.2, 0.3 and 0.4 the best on three historic maps."""


@dataclass(frozen=True)
class MaskMethod:
    """How a mask follows from a map.

    Attributes:
        mask: of the map, or of its residual.
        of_residual: of that.
    """

    mask: "Callable[[Any], Mask]"
    of_residual: bool = False


def letters(pixels: "Pixels") -> "Mask":
    """What may be letters: small connected pieces of ink, after the lines that touch them are taken out."""
    from dptools.maps.finding import ENLARGED, enlarge
    from dptools.maps.letters import find_letters

    found, ink = find_letters(enlarge(grey(pixels), ENLARGED), SENSITIVITY)
    return reduced(found.pieces(ink), pixels.shape[1], pixels.shape[0])


def paper(residual: "Image") -> "Mask":
    """The paper's rule, "if all RGB pixels are greater than 0.6 x mean of image be 255 else be 0".

    The paper does not say of which image. Read on the residual, prior minus image, where dark text on a light map
    stands out bright, it gives the text; read on the map itself it would give the paper it is printed on.
    """
    return np.asarray((residual > 0.6 * residual.mean()).all(axis=2))


def otsu(pixels: "Pixels") -> "Mask":
    """What is darker than one threshold for the whole map (Otsu 1979)."""
    from skimage.filters import threshold_otsu

    shades = grey(pixels)
    return np.asarray(shades <= threshold_otsu(shades)) if np.ptp(shades) else np.zeros(shades.shape, bool)


def sauvola(pixels: "Pixels") -> "Mask":
    """What is darker than its surroundings (Sauvola and Pietikäinen 2000)."""
    from dptools.maps.ink import ink

    return ink(grey(pixels))


MASKS = {
    "letters": MaskMethod(letters),
    "paper": MaskMethod(paper, True),
    "otsu": MaskMethod(otsu),
    "sauvola": MaskMethod(sauvola),
}
"""By the names of :data:`dptools.maps.names.RULES`."""


def text_mask(pixels: "Pixels", rule: str = "letters", prior: "Image | None" = None) -> "Mask":
    """The mask that a rule gives.

    Args:
        pixels: the map.
        rule: its name.
        prior: the output of an early prior, for a rule of the residual.
    """
    if not MASKS[rule].of_residual:
        return MASKS[rule].mask(pixels)
    assert prior is not None
    return MASKS[rule].mask((prior - pixels / np.float32(255)).clip(0, 1))


def grey(pixels: "Pixels") -> "Grey":
    """Luma, as ITU-R BT.601 weighs the channels."""
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))


def reduced(mask: "Mask", width: int, height: int) -> "Mask":
    """A mask in another size, true where at least half of the area is."""
    from PIL import Image

    shades = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(shades.resize((width, height), Image.Resampling.BOX)) > 127
