"""Who reads: programs and networks that turn a straightened line into characters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dptools.errors import check_name
from dptools.maps.names import READERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dptools.maps.words import Word

    Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Character:
    """One character of a strip.

    Attributes:
        confidence: in [0, 1].
        column: of the strip, where its middle is.
        opens: a space stands before it.
    """

    text: str
    confidence: float
    column: float
    opens: bool = False


@dataclass(frozen=True)
class Look:
    """One way to cut a line out for a reader.

    Attributes:
        clean: without lines and paper; else as on the map.
        half: half the strip's height, in letters' heights.
        ends: how far it goes on at both ends, in letters' heights.
    """

    clean: bool
    half: float
    ends: float


class Reader(Protocol):
    """Reads strips.

    Attributes:
        rows: the height in pixels that it wants a strip to have.
        sensitivities: at which ink is looked for, each time anew.
        looks: at each line.
        least: confidence of a word, below which it is left out.
    """

    @property
    def rows(self) -> int: ...
    @property
    def sensitivities(self) -> tuple[float, ...]: ...
    @property
    def looks(self) -> tuple[Look, ...]: ...
    @property
    def least(self) -> float: ...

    def read(self, strips: "Sequence[Grey]") -> Iterable[list[Character]]:
        """The characters of each strip, from left to right."""


@runtime_checkable
class PageReader(Protocol):
    """Reads a map as it would any page."""

    def page(self, grey: "Grey") -> "list[Word]":
        """The words of a page."""


def load_reader(name: str, language: str = "eng") -> Reader | PageReader:
    """A reader by its name.

    Args:
        language: as Tesseract calls it.

    Raises:
        UsageError: there is no such reader, or no such language.
        SetupError: its program is not installed.
    """
    check_name("reader", name, READERS)
    if name == "rapidocr":
        from dptools.maps.rapidocr import RapidReader

        return RapidReader(language)
    from dptools.maps.tesseract import TesseractPage, TesseractReader, check_tesseract

    check_tesseract(language)
    return TesseractReader(language) if name == "tesseract" else TesseractPage(language)
