"""Options of figures. This module does not import matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass

from dptools.errors import check_name

FORMATS = ("png", "svg", "pdf")
"""The formats of figures. In SVG and PDF, texts are texts, not outlines."""

STYLE_NAMES = ("screen", "paper")
"""The styles: for screens, and for one column of a printed page. Both are readable in grey."""


@dataclass(frozen=True)
class FigureOptions:
    """How figures look.

    Attributes:
        formats: The formats of the files.
        style: One of STYLE_NAMES.
        published: Whether figures and the report show results of the literature, too.

    Raises:
        UsageError: There is no such format or style.
    """

    formats: Sequence[str] = ("png", "svg")
    style: str = "screen"
    published: bool = True

    def __post_init__(self) -> None:
        for name in self.formats:
            check_name("figure format", name, FORMATS)
        check_name("figure style", self.style, STYLE_NAMES)
