"""Format tables and rates as text."""

from collections.abc import Iterable

from dptools.evaluation.intervals import Rate

Rows = list[list[str]]
"""A table. The first row is the header; the first column holds names, the others numbers."""


class Texts(Rows):
    """A table of texts: all columns are aligned left."""


def plain(rows: Rows) -> str:
    """Return a table with aligned columns, for a terminal."""
    return "\n".join(_aligned(rows))


def markdown(rows: Rows) -> str:
    """Return a table in GitHub Flavored Markdown."""
    header, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    others = "---" if isinstance(rows, Texts) else "---:"
    lines = [header, ["---", *[others] * (len(header) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(rate: Rate) -> str:
    """Return a rate with its interval in per cent, such as ``84 [75-91]``; ``-`` if n is 0."""
    if not rate.n:
        return "-"
    return f"{100 * rate.k / rate.n:.0f} [{100 * rate.low:.0f}-{100 * rate.high:.0f}]"


def or_dash(value: float | None, spec: str = "") -> str:
    """Return a number as text, formatted by ``spec``; ``-`` for None."""
    return "-" if value is None else format(value, spec)


def _aligned(rows: Rows) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if isinstance(rows, Texts):
        yield from ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return
    for name, *cells in rows:
        yield "  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])
