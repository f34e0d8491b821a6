"""Names and parameters of the filters. This module imports no image library."""

from dataclasses import dataclass

from dptools.errors import UsageError
from dptools.purifiers.parameter import Parameter
from dptools.texts import exact


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
        return self.name if self.value is None else f"{self.name}:{exact(self.value)}"


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
    return Filter(name, parameter.parse(name, value) if colon else parameter.default)
