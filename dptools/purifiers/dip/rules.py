"""The stop rules by the names that users write."""

import math
import re
from collections.abc import Callable

from dptools.errors import UsageError
from dptools.purifiers.dip import published, stopping
from dptools.purifiers.dip.stopping import StoppingCriterion

RULES: dict[str, Callable[[str], StoppingCriterion]] = {
    "fixed:N": lambda count: stopping.Fixed(_positive(count)),
    "held-out": lambda _: stopping.HeldOut(),
    "oracle": lambda _: published.Oracle(),
    "loss:T": lambda threshold: published.LossThreshold(_threshold(threshold)),
    "plateau": lambda _: published.Plateau(),
    "variance": lambda _: published.Variance(),
    "dipdefend": lambda _: published.DIPDefend(),
}
"""How rules are written, and made from what stands behind the colon; it is written if the form has one."""


def parse_rule(text: str) -> StoppingCriterion:
    """The rule that a text such as ``fixed:1750`` means.

    Raises:
        UsageError: there is no such rule, or its number is none.
    """
    name, colon, value = text.partition(":")
    for form, make in RULES.items():
        if form.partition(":")[:2] == (name, colon):
            return make(value)
    raise UsageError(f"unknown stop rule {text!r}: choose {', '.join(RULES)}")


def _positive(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < 1:
        raise UsageError(f"stop rule fixed:N needs a whole number of iterations from 1, not {text!r}")
    return int(text)


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1 or not math.isfinite(value):
        raise UsageError(f"stop rule loss:T needs a mean squared error above 0 and at most 1, not {text!r}")
    return value
