"""Find the words of a map, in these steps: foreground, letters, text lines, rectified lines, readings, words."""

import logging
from collections.abc import Iterator, Sequence

from dptools.maps.images import Grey, Mask, enlarge
from dptools.maps.letters import find_letters
from dptools.maps.lines import find_lines
from dptools.maps.merging import merge_readings
from dptools.maps.readers import LineReader, PageReader
from dptools.maps.textline import TextLine, reading_directions, rectify
from dptools.maps.words import Character, Word, extract_words

logger = logging.getLogger(__name__)

DEFAULT_SCALE = 2.0
"""Maps are enlarged by this factor by default, so that letters of 6 to 60 pixels are detected."""

BATCH = 64
"""Number of lines that are rectified and read at once."""

MIN_LEGIBLE = 0.5
"""A line is read again only if the first reading has a character of at least this confidence."""


def find_words(grey: Grey, reader: LineReader | PageReader, scale: float = DEFAULT_SCALE) -> list[Word]:
    """Return the words of a map, at any angle and along curves, with outlines in pixels of the map.

    Args:
        grey: The map, H x W uint8, with dark text on light paper.
        reader: Reads lines, the whole map, or both; see :func:`dptools.maps.load_reader`.
        scale: Factor by which the map is enlarged before lines are detected.
    """
    page = reader.read_page(grey) if isinstance(reader, PageReader) else []
    if not isinstance(reader, LineReader):
        return page
    large = enlarge(grey, scale)
    readings = [word.scaled(scale) for word in page]
    readings += reader.read_page(large) if isinstance(reader, PageReader) and scale != 1 else []
    readings += _line_readings(large, reader)
    confident = [word for word in readings if word.confidence >= reader.min_confidence]
    words = merge_readings(confident, passes=len(reader.crops) * len(reader.sensitivities))
    return [word.scaled(1 / scale) for word in words]


def _line_readings(grey: Grey, reader: LineReader) -> Iterator[Word]:
    """Yield each reading of each word, for all sensitivities and crops."""
    passes = len(reader.sensitivities)
    for number, sensitivity in enumerate(reader.sensitivities, 1):
        logger.info("pass %d of %d: detecting letters", number, passes)
        letters, foreground = find_letters(grey, sensitivity)
        lines = [text_line for line in find_lines(letters) for text_line in reading_directions(letters, line)]
        for start in range(0, len(lines), BATCH):
            logger.info("pass %d of %d: read %d of %d lines", number, passes, start, len(lines))
            yield from _read_batch(grey, foreground, lines[start : start + BATCH], reader)


def _read_batch(grey: Grey, foreground: Mask, lines: Sequence[TextLine], reader: LineReader) -> Iterator[Word]:
    """Yield the readings of some lines, for all crops. Only lines that are legible in the first crop are read again."""
    legible = list(lines)
    for number, crop in enumerate(reader.crops):
        rectified = [
            rectify(grey, foreground, line, half_height=crop.half_height, margin=crop.margin, rows=reader.rows)
            for line in legible
        ]
        results = list(reader.read_lines([line.clean if crop.clean else line.grey for line in rectified]))
        for line, characters in zip(rectified, results, strict=True):
            yield from extract_words(line, characters)
        if number == 0:
            legible = [line for line, characters in zip(lines, results, strict=True) if _is_legible(characters)]


def _is_legible(characters: Sequence[Character]) -> bool:
    return max((char.confidence for char in characters), default=0) >= MIN_LEGIBLE
