"""Names and parameters of the filters. This module imports no image library."""

import re
from dataclasses import dataclass

from dptools.errors import UsageError


@dataclass(frozen=True)
class Filter:
    """A filter and its strength.

    Attributes:
        name: ``jpeg``, ``median``, ``bilateral``, ``tv``, ``nlm`` or ``bits``.
        value: its parameter; None if the filter estimates the noise itself.
    """

    name: str
    value: float | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value:g}"


@dataclass(frozen=True)
class Parameter:
    """The one parameter of a filter.

    Attributes:
        meaning: description for error messages.
        low: the smallest value.
        high: the largest value.
        default: the default value; None if the filter estimates the noise from the image.
        odd: whether only odd numbers are allowed.
        integer: whether only whole numbers are allowed.
    """

    meaning: str
    low: float
    high: float
    default: float | None = None
    odd: bool = False
    integer: bool = True


PARAMETERS = {
    "jpeg": Parameter("quality", 1, 95, 75),
    "median": Parameter("side of the square, odd", 3, 31, 3, odd=True),
    "bilateral": Parameter("standard deviation of the colours, on the [0, 1] scale", 0.001, 1, integer=False),
    "tv": Parameter("weight", 0.0001, 10, integer=False),
    "nlm": Parameter("standard deviation of the noise, on the [0, 1] scale", 0.001, 1, integer=False),
    "bits": Parameter("bits per channel", 1, 7, 5),
}
"""The parameter of each filter. Noise is estimated as in Donoho and Johnstone, Biometrika 81, 1994."""


def parse_filter(text: str) -> Filter:
    """Return the filter that a text such as ``jpeg:50`` names.

    Raises:
        UsageError: there is no such filter, or the value is not allowed. The message states the choices.
    """
    name, colon, value = text.partition(":")
    if (parameter := PARAMETERS.get(name)) is None:
        raise UsageError(f"unknown filter {name!r}: choose {', '.join(PARAMETERS)}")
    return Filter(name, _number(name, value, parameter) if colon else parameter.default)


def _number(name: str, text: str, parameter: Parameter) -> float:
    pattern = r"\d{1,6}" if parameter.integer else r"\d{0,6}\.?\d{1,9}"
    number = float(text) if re.fullmatch(pattern, text) else -1.0
    if not parameter.low <= number <= parameter.high or (parameter.odd and number % 2 == 0):
        raise UsageError(f"method {name}:{text}: give {parameter.meaning} from {parameter.low:g} to {parameter.high:g}")
    return number
