"""Text in scanned maps: a mask of the text, and the words with their outlines.

Example:
    >>> pixels = np.asarray(Image.open("map.png").convert("RGB"))
    >>> mask = text_mask(pixels)
    >>> words = find_words(to_grey(pixels), load_reader("rapidocr"))
"""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.maps.choices import FORMATS, MASK_METHODS, READERS

if TYPE_CHECKING:
    from dptools.maps.finding import find_words
    from dptools.maps.images import to_grey
    from dptools.maps.loading import load_reader
    from dptools.maps.masks import text_mask
    from dptools.maps.words import Word
else:
    __getattr__ = lazy(
        __name__,
        finding=("find_words",),
        images=("to_grey",),
        loading=("load_reader",),
        masks=("text_mask",),
        words=("Word",),
    )

__all__ = ["FORMATS", "MASK_METHODS", "READERS", "Word", "find_words", "load_reader", "text_mask", "to_grey"]
