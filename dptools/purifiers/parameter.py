"""The number behind the colon in the name of a method, for example 50 in ``jpeg:50``."""

import re
from dataclasses import dataclass

from dptools.errors import UsageError


@dataclass(frozen=True)
class Parameter:
    """The one parameter of a method.

    Attributes:
        meaning: description for error messages.
        low: the smallest value.
        high: the largest value.
        default: the default value; None if the method chooses the value for each image.
        odd: whether only odd numbers are allowed.
        integer: whether only whole numbers are allowed.
    """

    meaning: str
    low: float
    high: float
    default: float | None = None
    odd: bool = False
    integer: bool = True

    def parse(self, method: str, text: str) -> float:
        """Return the value that a text states.

        Args:
            method: the name of the method, for the message.
            text: the characters behind the colon.

        Raises:
            UsageError: it is no number, or the number is not allowed. The message states the limits.
        """
        pattern = r"\d{1,6}" if self.integer else r"\d{0,6}\.?\d{1,9}"
        number = float(text) if re.fullmatch(pattern, text) else -1.0
        if not self.low <= number <= self.high or (self.odd and number % 2 == 0):
            raise UsageError(f"method {method}:{text}: give {self.meaning} from {self.low:g} to {self.high:g}")
        return number
