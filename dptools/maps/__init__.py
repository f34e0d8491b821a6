"""Text out of scanned maps: masks of it, and its words."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.maps.names import FORMATS, READERS, RULES

if TYPE_CHECKING:
    from dptools.maps.finding import find_words
    from dptools.maps.loading import load_reader
    from dptools.maps.masks import text_mask
    from dptools.maps.words import Word
else:
    __getattr__ = lazy(
        __name__, finding=("find_words",), masks=("text_mask",), loading=("load_reader",), words=("Word",)
    )

__all__ = ["FORMATS", "READERS", "RULES", "Word", "find_words", "load_reader", "text_mask"]
