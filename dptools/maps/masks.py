"""Masks of the text on a map, by several methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.errors import check_name
from dptools.maps.images import Mask, Pixels, enlarge, resize_mask, to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    """H x W x 3, values in [0, 1]."""

LETTERS_SENSITIVITY = 0.4
"""Sensitivity of the letters method: the best of 0.2, 0.3 and 0.4 on three historic maps."""


@dataclass(frozen=True)
class MaskMethod:
    """A method that makes a mask.

    Attributes:
        function: Returns the mask of its argument: the map, or the residual.
        uses_residual: Whether the argument is the residual: the output of a deep image prior after a few iterations,
            minus the map, clipped to [0, 1].
    """

    function: Callable[[Any], Mask]
    uses_residual: bool = False


def letters(pixels: Pixels) -> Mask:
    """Return the letter candidates: small connected components of the foreground, without lines that touch them."""
    from dptools.maps.finding import DEFAULT_SCALE
    from dptools.maps.letters import find_letters

    candidates, foreground = find_letters(enlarge(to_grey(pixels), DEFAULT_SCALE), LETTERS_SENSITIVITY)
    return resize_mask(candidates.mask(foreground), pixels.shape[1], pixels.shape[0])


def paper(residual: "Image") -> Mask:
    """Return the mask of the Deep Protection paper, section 3.4.

    After a few iterations, a deep image prior shows background and roads, but no text. The text is in the residual:
    the output of the prior minus the map. The paper's rule is "if all RGB pixels are greater than 0.6 x mean of image
    be 255 else be 0". The paper does not say which image is meant. In the residual, dark text on a light map is
    bright, so the rule selects the text. Applied to the map, it would select the paper of the map.

    Args:
        residual: H x W x 3, in [0, 1].
    """
    return np.asarray((residual > 0.6 * residual.mean()).all(axis=2))


def otsu(pixels: Pixels) -> Mask:
    """Return the pixels that are darker than a global threshold.

    Source: Otsu, "A threshold selection method from gray-level histograms" (1979).
    """
    from skimage.filters import threshold_otsu

    grey = to_grey(pixels)
    return np.asarray(grey <= threshold_otsu(grey)) if np.ptp(grey) else np.zeros(grey.shape, bool)


def sauvola(pixels: Pixels) -> Mask:
    """Return the pixels that are darker than a local threshold; see :func:`dptools.maps.foreground.foreground_mask`."""
    from dptools.maps.foreground import foreground_mask

    return foreground_mask(to_grey(pixels))


METHODS = {
    "letters": MaskMethod(letters),
    "paper": MaskMethod(paper, uses_residual=True),
    "otsu": MaskMethod(otsu),
    "sauvola": MaskMethod(sauvola),
}
"""The methods by their names in :data:`dptools.maps.MASK_METHODS`."""


def text_mask(pixels: Pixels, method: str = "letters", prior: "Image | None" = None) -> Mask:
    """Return the mask of the text on a map, H x W, true for pixels of text.

    Args:
        pixels: The map, H x W x 3.
        method: One of :data:`dptools.maps.MASK_METHODS`.
        prior: The output of a deep image prior after a few iterations, H x W x 3 in [0, 1]. Required by methods that
            use the residual.

    Raises:
        UsageError: The method is unknown.
        ValueError: The method needs ``prior``, and there is none.
    """
    check_name("mask method", method, METHODS)
    if not METHODS[method].uses_residual:
        return METHODS[method].function(pixels)
    if prior is None:
        raise ValueError(f"the mask method {method!r} needs the output of a deep image prior")
    return METHODS[method].function((prior - pixels / np.float32(255)).clip(0, 1))
