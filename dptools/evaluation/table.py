"""Groups as a table for a terminal."""

from collections.abc import Iterable, Sequence

from dptools.evaluation.metrics import Group, Rate

COLUMNS = (
    ("attack", "attack"),
    ("attack succeeded", "success"),
    ("top-1 before", "before_top1"),
    ("top-1 after", "after_top1"),
    ("top-5 before", "before_top5"),
    ("top-5 after", "after_top5"),
)


def table(groups: Iterable[Group]) -> str:
    """Rates in per cent with their 95 % intervals, a row a group, and what was left out."""
    heads = [head for head, _ in COLUMNS] + ["n", "skipped", "failed"]
    return "\n".join(_aligned([heads, *(_row(group) for group in groups)]))


def _row(group: Group) -> list[str]:
    rates = [percent(group.rate(key)) for _, key in COLUMNS[1:]]
    counts = group.counts
    done = counts["records"] - counts["failed"] - counts["skipped"]
    return [group.name, *rates, str(done), str(counts["skipped"]), str(counts["failed"])]


def percent(rate: Rate) -> str:
    """``84.0 [75-91]``: the rate and its interval in per cent; a dash where nothing was counted."""
    numbers = rate.as_json()
    share, low, high = numbers["rate"], numbers["low"], numbers["high"]
    if share is None or low is None or high is None:
        return "-"
    return f"{100 * share:.1f} [{100 * low:.0f}-{100 * high:.0f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) if not index else cell.rjust(width) for index, (cell, width) in columns).rstrip()
        for columns in (list(enumerate(zip(row, widths, strict=True))) for row in rows)
    ]
