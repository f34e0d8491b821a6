"""Format text for people."""

import re
from collections.abc import Sequence

_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of surrogate pairs that stand for no byte."""


def printable(text: str) -> str:
    """Return the text with every unprintable character escaped, so that it is safe to show and stays on one line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def encoded(text: str) -> bytes:
    """Return the text in UTF-8, in which names of files keep bytes that are not UTF-8 (``surrogateescape``)."""
    return _HALF.sub("?", text).encode("utf-8", "surrogateescape")


def did_you_mean(names: Sequence[str]) -> str:
    """Return a hint that follows an unknown name in a message; empty if there are no similar names."""
    return f" (did you mean {', '.join(names)}?)" if names else ""


def parse_number(text: str) -> float:
    """Return the value of a decimal number or of a fraction such as 8/255.

    Raises:
        ValueError: The text is neither.
    """
    try:
        numerator, slash, denominator = text.partition("/")
        return float(numerator) / (float(denominator) if slash else 1.0)
    except (ZeroDivisionError, OverflowError):
        raise ValueError(text) from None


def exact(number: float) -> str:
    """Return the shortest decimal text that :func:`parse_number` reads as the same number; 12 for 12.0."""
    return repr(number).removesuffix(".0")
