"""The names of smoothed classifiers, without torch."""

import math
from dataclasses import dataclass

from dptools.errors import UsageError
from dptools.purifiers import Method, parse_method
from dptools.texts import exact, parse_number

SMOOTH = "smooth:"
"""Start of the name of a smoothed classifier; the standard deviation of its noise follows."""

MAX_SIGMA = 2.0
"""The largest standard deviation. A larger value is probably on the 8-bit scale."""


PURIFIER = "perceptual"
"""The default purifier of noisy images: one pass of a denoising network, no added noise."""

N0 = 100
"""Draws that choose the class, as in arXiv 1902.02918; a tenth of the draws if that is less, but at least one."""


def choosing_draws(draws: int) -> int:
    """Return the default number of draws that choose the class, in addition to the draws that are counted."""
    return max(1, min(N0, draws // 10))


def fewest_draws(alpha: float) -> int:
    """Return the smallest number of draws that can certify a class: if all draws are of the class."""
    return math.floor(-math.log2(alpha)) + 1


def parse_sigma(text: str) -> float:
    """Return the standard deviation that a text such as ``0.25`` or ``64/255`` states.

    Raises:
        UsageError: It is no number, or out of range.
    """
    try:
        sigma = parse_number(text)
    except ValueError:
        sigma = float("nan")
    if 0 < sigma <= MAX_SIGMA:
        return sigma
    hint = f"; for {sigma:g} on the 8-bit scale, give {sigma:g}/255" if MAX_SIGMA < sigma <= 255 else ""
    raise UsageError(f"{text}: give the standard deviation of the noise on the [0, 1] scale, such as 0.25{hint}")


@dataclass(frozen=True)
class Smoothing:
    """A smoothed classifier, whose prediction is the vote of many noisy images, as a defence.

    Attributes:
        sigma: Standard deviation of the noise, on the [0, 1] scale.
    """

    sigma: float
    differentiable = random = quantised = True
    optimised = False
    name = "smooth"

    def __str__(self) -> str:
        return f"{SMOOTH}{exact(self.sigma)}"


def parse_defence(text: str) -> Method | Smoothing:
    """Return the method or the smoothed classifier that a text such as ``jpeg:50`` or ``smooth:0.25`` names.

    Raises:
        UsageError: There is no such method, or the value is out of range.
    """
    if not text.startswith(SMOOTH):
        return parse_method(text, others=(f"{SMOOTH}SIGMA",))
    try:
        return Smoothing(parse_sigma(text.removeprefix(SMOOTH)))
    except UsageError as error:
        raise UsageError(f"{SMOOTH}{error}") from None
