"""Texts for people."""


def printable(text: str) -> str:
    """Text that any terminal, figure or page can show on one line, whatever the names in it are made of."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
