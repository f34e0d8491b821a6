"""What an attack can be given, and how it is written."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Param:
    """One parameter of an attack.

    Attributes:
        default: what it is without being set; ``...`` where it must be.
        kinds: the types that it takes, out of bool, int, float and NoneType; its default's if not given.
        least: the smallest number that it takes.
        choices: the words that it takes.
    """

    default: Any
    kinds: tuple[type, ...] = ()
    least: float = -math.inf
    choices: tuple[str, ...] = field(default=())

    def parse(self, text: str) -> Value:
        """The value that a user wrote; fractions such as 8/255 are numbers too.

        Raises:
            ValueError: it is none that the parameter takes.
        """
        word = text.strip().lower()
        for choice in self.choices:
            if word == choice.lower():
                return choice
        for kind, read in _READERS.items():
            if kind in self._kinds and (value := read(word)) is not ...:
                return self._checked(value)
        raise ValueError(text)

    def __str__(self) -> str:
        """What it takes, for people."""
        kinds = [name for kind, name in _NAMES.items() if kind in self._kinds]
        if int in self._kinds and float in self._kinds:
            kinds.remove(_NAMES[int])
        least = f" from {self.least:g}" if self.least > -math.inf else ""
        return " or ".join([*(kind + least if "number" in kind else kind for kind in kinds), *self.choices])

    @property
    def _kinds(self) -> tuple[type, ...]:
        return self.kinds or (() if self.choices else (type(self.default),))

    def _checked(self, value: Value) -> Value:
        if isinstance(value, int | float) and not isinstance(value, bool) and not self.least <= value < math.inf:
            raise ValueError(value)
        return value


def number(text: str) -> float:
    """A decimal number or a fraction such as 8/255.

    Raises:
        ValueError: it is neither.
    """
    try:
        above, slash, below = text.partition("/")
        return float(above) / (float(below) if slash else 1.0)
    except (ZeroDivisionError, OverflowError):
        raise ValueError(text) from None


def _none(word: str) -> Any:
    return None if word == "none" else ...


def _bool(word: str) -> Any:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(word, ...)


def _int(word: str) -> Any:
    return int(word) if re.fullmatch(r"[+-]?\d{1,18}", word) else ...


def _float(word: str) -> Any:
    try:
        value = number(word)
    except ValueError:
        return ...
    return value if math.isfinite(value) else ...


_READERS = {type(None): _none, bool: _bool, int: _int, float: _float}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", type(None): "none"}
