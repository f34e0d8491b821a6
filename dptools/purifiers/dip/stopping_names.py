"""Stopping criteria by the names that users write."""

import math
import re
from collections.abc import Callable

from dptools.errors import UsageError
from dptools.purifiers.dip.stopping import Fixed, HeldOut, StoppingCriterion
from dptools.purifiers.dip.stopping_literature import DIPDefend, LossThreshold, Oracle, Plateau, Variance

CRITERIA: dict[str, Callable[[str], StoppingCriterion]] = {
    "fixed:N": lambda count: Fixed(_positive(count)),
    "held-out": lambda _: HeldOut(),
    "oracle": lambda _: Oracle(),
    "loss:T": lambda threshold: LossThreshold(_threshold(threshold)),
    "plateau": lambda _: Plateau(),
    "variance": lambda _: Variance(),
    "dipdefend": lambda _: DIPDefend(),
}
"""The form in which users write each criterion, and a function that makes it from the text after the colon.

The text is required if and only if the form has a colon.
"""


def parse_criterion(text: str) -> StoppingCriterion:
    """Return the criterion that a text such as ``fixed:1750`` names.

    Raises:
        UsageError: there is no such criterion, or its number is not allowed.
    """
    name, colon, value = text.partition(":")
    for form, make in CRITERIA.items():
        if form.partition(":")[:2] == (name, colon):
            return make(value)
    raise UsageError(f"unknown stopping criterion {text!r}: choose {', '.join(CRITERIA)}")


def _positive(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < 1:
        raise UsageError(f"stopping criterion fixed:N needs a whole number of iterations from 1, not {text!r}")
    return int(text)


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1 or not math.isfinite(value):
        raise UsageError(f"stopping criterion loss:T needs a mean squared error above 0 and at most 1, not {text!r}")
    return value
