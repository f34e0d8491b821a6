"""The names of smoothed classifiers, without torch."""

from dataclasses import dataclass

from dptools.errors import UsageError
from dptools.purifiers import Method, parse_method
from dptools.texts import parse_number

SMOOTH = "smooth:"
"""Start of the name of a smoothed classifier; the standard deviation of its noise follows."""

MAX_SIGMA = 2.0
"""The largest standard deviation. A larger value is probably on the 8-bit scale."""


@dataclass(frozen=True)
class Smoothing:
    """A smoothed classifier, whose prediction is the vote of many noisy images, as a defence.

    Attributes:
        sigma: Standard deviation of the noise, on the [0, 1] scale.
    """

    sigma: float
    differentiable = True
    random = True
    fits = False
    name = "smooth"

    def __str__(self) -> str:
        return f"{SMOOTH}{self.sigma:g}"


def parse_defence(text: str) -> Method | Smoothing:
    """Return the method or the smoothed classifier that a text such as ``jpeg:50`` or ``smooth:0.25`` names.

    Raises:
        UsageError: There is no such method, or the value is out of range.
    """
    if not text.startswith(SMOOTH):
        return parse_method(text)
    try:
        sigma = parse_number(text.removeprefix(SMOOTH))
    except ValueError:
        sigma = 0.0
    if not 0 < sigma <= MAX_SIGMA:
        raise UsageError(f"{text}: give the standard deviation of the noise, such as {SMOOTH}0.25")
    return Smoothing(sigma)
