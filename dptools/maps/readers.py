"""Protocols of readers: programs or networks that recognise text (OCR)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dptools.maps.images import Grey
from dptools.maps.words import Character, Word


@dataclass(frozen=True)
class Crop:
    """How a text line is cut out for a reader.

    Attributes:
        clean: Whether everything except the line's foreground is replaced by white.
        half_height: See :func:`dptools.maps.textline.rectify`.
        margin: See :func:`dptools.maps.textline.rectify`.
    """

    clean: bool
    half_height: float
    margin: float


@runtime_checkable
class LineReader(Protocol):
    """Recognises rectified text lines.

    Attributes:
        rows: Height that a rectified line must have, in pixels.
        crops: Each line is cut out and read once for each of these.
        min_confidence: Words of a lower confidence are dropped.
    """

    @property
    def rows(self) -> int: ...
    @property
    def crops(self) -> tuple[Crop, ...]: ...
    @property
    def min_confidence(self) -> float: ...

    def read_lines(self, images: Sequence[Grey]) -> Iterable[list[Character]]:
        """Yield the characters of each rectified line, from left to right."""


@runtime_checkable
class PageReader(Protocol):
    """Recognises a whole map, with its own line detection.

    A reader that is also a :class:`LineReader` reads the lines, the whole map, and the whole map enlarged. All readings
    take part in the vote.
    """

    def read_page(self, grey: Grey) -> list[Word]:
        """Return the words of a map, H x W."""
