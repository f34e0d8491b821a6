"""Texts for people."""

from collections.abc import Sequence


def printable(text: str) -> str:
    """Text that any terminal, figure or page can show on one line, whatever the names in it are made of."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def did_you_mean(names: Sequence[str]) -> str:
    """What stands behind a name that there is not; empty where nothing is like it."""
    return f" (did you mean {', '.join(names)}?)" if names else ""
