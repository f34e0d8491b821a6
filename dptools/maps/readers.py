"""What it takes to read: a program or a network that turns a straightened line into characters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dptools.maps.words import Character, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]


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


@runtime_checkable
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
    """Reads a map as it would any page. A reader of strips that does so too, has that as two further looks: at the map
    as it is, and enlarged."""

    def page(self, grey: "Grey") -> list[Word]:
        """The words of a page."""
