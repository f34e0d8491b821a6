"""From a map to its words: ink, letters, lines, strips, readings, words."""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dptools.maps.letters import find_letters
from dptools.maps.lines import find_lines
from dptools.maps.merging import merge
from dptools.maps.readers import PageReader, Reader
from dptools.maps.strips import Course, courses, straighten
from dptools.maps.words import Character, Word, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

logger = logging.getLogger(__name__)

ENLARGED = 2.0
"""By how much a map is enlarged first, so that letters of 6 to 60 pixels are seen."""

TOGETHER = 64
"""Lines that are cut out and read at once."""


def find_words(grey: "Grey", reader: Reader | PageReader, scale: float = ENLARGED) -> list[Word]:
    """The words of a map, at any angle and along curves.

    Args:
        grey: H x W uint8, dark text on light paper.
        scale: factor by which the map is enlarged before.
    """
    page = reader.page(grey) if isinstance(reader, PageReader) else []
    if not isinstance(reader, Reader):
        return page
    large = enlarge(grey, scale)
    readings = [word.scaled(scale) for word in page]
    readings += reader.page(large) if isinstance(reader, PageReader) and scale != 1 else []
    readings += [word for found in _readings(large, reader) for word in found]
    looks = len(reader.looks) * len(reader.sensitivities)
    sure = [word for word in readings if word.confidence >= reader.least]
    return [word.scaled(1 / scale) for word in merge(sure, looks)]


def enlarge(grey: "Grey", scale: float) -> "Grey":
    """A map by a factor as large."""
    from PIL import Image

    image = Image.fromarray(grey)
    size = [max(1, round(side * scale)) for side in image.size]
    return np.asarray(image.resize((size[0], size[1]), Image.Resampling.LANCZOS))


def _readings(grey: "Grey", reader: Reader) -> Iterator[list[Word]]:
    for turn, sensitivity in enumerate(reader.sensitivities, 1):
        logger.info("%d of %d: looking for letters", turn, len(reader.sensitivities))
        letters, ink = find_letters(grey, sensitivity)
        ways = [way for line in find_lines(letters) for way in courses(letters, line)]
        for start in range(0, len(ways), TOGETHER):
            logger.info("%d of %d: %d of %d lines", turn, len(reader.sensitivities), start, len(ways))
            yield from _read(grey, ink, ways[start : start + TOGETHER], reader)


def _read(grey: "Grey", ink: "Mask", ways: Sequence[Course], reader: Reader) -> Iterator[list[Word]]:
    """What each look at each line says; where the first sees nothing, the others do not look."""
    legible = list(ways)
    for look in reader.looks:
        strips = [straighten(grey, ink, way, look.half, look.ends, reader.rows) for way in legible]
        read = list(reader.read([strip.clean if look.clean else strip.grey for strip in strips]))
        yield from (list(words(strip, characters)) for strip, characters in zip(strips, read, strict=True))
        if look is reader.looks[0]:
            legible = [way for way, characters in zip(ways, read, strict=True) if _legible(characters)]


def _legible(characters: Sequence[Character]) -> bool:
    return max((char.confidence for char in characters), default=0) >= 0.5
