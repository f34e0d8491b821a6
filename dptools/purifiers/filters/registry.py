"""The filters by their names, without the libraries that run them."""

import re
from dataclasses import dataclass

from dptools.errors import UsageError


@dataclass(frozen=True)
class Filter:
    """A filter and how strong it is.

    Attributes:
        name: ``jpeg``, ``median``, ``bilateral``, ``tv``, ``nlm`` or ``bits``.
        value: its one parameter; None for filters that measure the noise themselves.
    """

    name: str
    value: float | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value:g}"


@dataclass(frozen=True)
class Form:
    """How a filter is written.

    Attributes:
        least, most: bounds of the value.
        default: the value where none is written; None where the filter finds its own.
        odd: only odd numbers.
        whole: only whole numbers.
        what: the value, for people.
    """

    what: str
    least: float
    most: float
    default: float | None = None
    odd: bool = False
    whole: bool = True


FORMS = {
    "jpeg": Form("quality", 1, 95, 75),
    "median": Form("side of the square, odd", 3, 31, 3, odd=True),
    "bilateral": Form("standard deviation of the colours, on the [0, 1] scale", 0.001, 1, whole=False),
    "tv": Form("weight", 0.0001, 10, whole=False),
    "nlm": Form("standard deviation of the noise, on the [0, 1] scale", 0.001, 1, whole=False),
    "bits": Form("bits a channel", 1, 7, 5),
}
"""Where there is no default, the noise is estimated from the image (Donoho and Johnstone, Biometrika 81, 1994)."""


def parse_filter(text: str) -> Filter:
    """The filter that a text such as ``jpeg:50`` means.

    Raises:
        UsageError: there is no such filter, or it cannot have this value; the message says what it takes.
    """
    name, colon, value = text.partition(":")
    if (form := FORMS.get(name)) is None:
        raise UsageError(f"unknown method {name!r}: choose dip, {', '.join(FORMS)}")
    return Filter(name, _number(name, value, form) if colon else form.default)


def _number(name: str, text: str, form: Form) -> float:
    pattern = r"\d{1,6}" if form.whole else r"\d{0,6}\.?\d{1,9}"
    number = float(text) if re.fullmatch(pattern, text) else -1.0
    if not form.least <= number <= form.most or (form.odd and number % 2 == 0):
        raise UsageError(f"method {name}:{text}: give {form.what} from {form.least:g} to {form.most:g}")
    return number
