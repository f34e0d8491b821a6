"""Find the words of a map, in these steps: text regions and letters, text lines, rectified lines, readings, words."""

import logging
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from dptools.maps.candidates import candidate_lines
from dptools.maps.detector import load_detector
from dptools.maps.foreground import without_specks
from dptools.maps.images import Grey, Mask, enlarge
from dptools.maps.letters import find_letters
from dptools.maps.merging import Reading, merge_readings
from dptools.maps.readers import LineReader, PageReader
from dptools.maps.textline import TextLine, rectify
from dptools.maps.words import Character, Word, extract_words

logger = logging.getLogger(__name__)

DEFAULT_SCALE = 2.0
"""Maps are enlarged by this factor by default, so that letters of 6 to 60 pixels are found."""

DETECTION_SCALE = 0.5
"""The text detector sees the map at this fraction of the enlarged size."""

SENSITIVITY = 0.2
"""Sensitivity of the foreground in which letters are linked to lines."""

BATCH = 64
"""Number of lines that are rectified and read at once."""

MIN_LEGIBLE = 0.5
"""A line is read again only if the first reading has a character of at least this confidence."""


def find_words(grey: Grey, reader: LineReader | PageReader, scale: float = DEFAULT_SCALE) -> list[Word]:
    """Return the words of a map, at any angle and along curves, with outlines in pixels of the map.

    Args:
        grey: The map, H x W uint8, with dark text on light paper.
        reader: Reads lines, the whole map, or both; see :func:`dptools.maps.load_reader`.
        scale: Factor by which the map is enlarged before lines are read.
    """
    page = reader.read_page(grey) if isinstance(reader, PageReader) else []
    if not isinstance(reader, LineReader):
        return page
    large = enlarge(grey, scale)
    words = [word.scaled(scale) for word in page]
    words += reader.read_page(large) if isinstance(reader, PageReader) and scale != 1 else []
    readings = [Reading(word, line=-number, image=-number) for number, word in enumerate(words, 1)]
    readings += _line_readings(large, reader)
    return [word.scaled(1 / scale) for word in merge_readings(readings, reader.min_confidence)]


def _line_readings(grey: Grey, reader: LineReader) -> Iterator[Reading]:
    """Yield each reading of each word, for all lines and crops."""
    logger.info("detecting text")
    small = enlarge(grey, DETECTION_SCALE)
    probability = load_detector().probability(small)
    letters, foreground = find_letters(grey, SENSITIVITY)
    lines = candidate_lines(letters, probability, grey.shape[0] / small.shape[0])
    foreground, images = without_specks(foreground), count()
    for start in range(0, len(lines), BATCH):
        logger.info("read %d of %d lines", start, len(lines))
        batch = dict(enumerate(lines[start : start + BATCH], start))
        yield from _read_batch(grey, foreground, batch, reader, images)


def _read_batch(
    grey: Grey, foreground: Mask, lines: dict[int, TextLine], reader: LineReader, images: Iterator[int]
) -> Iterator[Reading]:
    """Yield the readings of some lines, for all crops. Only lines that are legible in the first crop are read again.

    Args:
        grey: The map, H x W.
        foreground: The map's foreground without lines, H x W.
        lines: The lines by their numbers.
        reader: Reads the lines.
        images: Yields a number for each image that is read.
    """
    share = 1 / len(reader.crops)
    for crop in reader.crops:
        settings: dict[str, Any] = {"half_height": crop.half_height, "margin": crop.margin, "rows": reader.rows}
        rectified = [rectify(grey, foreground, line, **settings).condensed() for line in lines.values()]
        results = list(reader.read_lines([line.clean if crop.clean else line.grey for line in rectified]))
        for number, line, characters in zip(lines, rectified, results, strict=True):
            image = next(images)
            for word in extract_words(line, characters):
                yield Reading(word, number, image, share, lines[number].spread)
        if crop is reader.crops[0]:
            legible = [_is_legible(characters) for characters in results]
            lines = {number: lines[number] for number, keep in zip(lines, legible, strict=True) if keep}


def _is_legible(characters: Sequence[Character]) -> bool:
    return bool(np.max([char.confidence for char in characters], initial=0.0) >= MIN_LEGIBLE)
