"""Parameters of attacks: their types, ranges and text form."""

import math
import re
from dataclasses import dataclass
from typing import Any

from dptools.texts import parse_number

Value = bool | int | float | str | None

# The default of a parameter that the user must set.
REQUIRED: Any = ...


@dataclass(frozen=True)
class Param:
    """One parameter of an attack.

    Attributes:
        default: Default value; REQUIRED if the user must set the parameter.
        types: Accepted types, out of bool, int, float and NoneType. If empty, only the choices are accepted. If
            there are no choices either, the type of the default is accepted.
        minimum: Smallest accepted number.
        choices: Accepted words.
    """

    default: Any
    types: tuple[type, ...] = ()
    minimum: float = -math.inf
    choices: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Return whether the parameter can have this value."""
        if isinstance(value, str):
            return value in self.choices
        if isinstance(value, bool) or value is None:
            return type(value) in self._types
        if not isinstance(value, int | float) or value < self.minimum or not -math.inf < value < math.inf:
            return False
        return float in self._types or (int in self._types and isinstance(value, int))

    def parse(self, text: str) -> Value:
        """Return the value that a text stands for. Fractions such as 8/255 are numbers.

        Raises:
            ValueError: The parameter does not accept the text.
        """
        word = text.strip().lower()
        for choice in self.choices:
            if word == choice.lower():
                return choice
        for type_, parse in _PARSERS.items():
            if type_ in self._types and (value := parse(word)) is not ... and self.accepts(value):
                return value  # type: ignore[no-any-return]
        raise ValueError(f"expected {self}, got {text!r}")

    def __str__(self) -> str:
        """Describe the accepted values."""
        descriptions = [text for type_, text in _DESCRIPTIONS.items() if type_ in self._types]
        if int in self._types and float in self._types:
            descriptions.remove(_DESCRIPTIONS[int])
        minimum = f" from {self.minimum:g}" if self.minimum > -math.inf else ""
        return " or ".join([*(text + minimum if "number" in text else text for text in descriptions), *self.choices])

    @property
    def _types(self) -> tuple[type, ...]:
        return self.types or (() if self.choices else (type(self.default),))


# Each parser returns the Ellipsis object if the word does not have its type.
def _parse_none(word: str) -> Any:
    return None if word == "none" else ...


def _parse_bool(word: str) -> Any:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(word, ...)


def _parse_int(word: str) -> Any:
    return int(word) if re.fullmatch(r"[+-]?\d{1,18}", word) else ...


def _parse_float(word: str) -> Any:
    try:
        value = parse_number(word)
    except ValueError:
        return ...
    return value if math.isfinite(value) else ...


_PARSERS = {type(None): _parse_none, bool: _parse_bool, int: _parse_int, float: _parse_float}
_DESCRIPTIONS = {bool: "true or false", int: "a whole number", float: "a number", type(None): "none"}
