"""Groups as a table for a terminal of 80 columns."""

from collections.abc import Iterable, Sequence

from dptools.evaluation.metrics import Group, Rate

COLUMNS = {
    "success": "success",
    "top-1 before": "before_top1",
    "top-1 after": "after_top1",
    "top-5 before": "before_top5",
    "top-5 after": "after_top5",
}


def table(groups: Iterable[Group]) -> str:
    """Rates in per cent with their 95 % intervals, a row an attack; below it, what stands in none of them."""
    groups = list(groups)
    rows = [["attack", "n", *COLUMNS], *map(_row, groups)]
    return "\n".join([*_aligned(rows), *_left_out(groups)])


def percent(rate: Rate) -> str:
    """``84 [75-91]``: the rate and its interval in per cent; a dash where nothing was counted."""
    if not rate.n:
        return "-"
    return f"{100 * rate.k / rate.n:.0f} [{100 * rate.low:.0f}-{100 * rate.high:.0f}]"


def _row(group: Group) -> list[str]:
    return [group.name, str(group.judged), *(percent(group.rate(key)) for key in COLUMNS.values())]


def _left_out(groups: Sequence[Group]) -> Iterable[str]:
    for what in ("skipped", "failed"):
        named = [f"{group.name} {group.counts[what]}" for group in groups if group.counts[what]]
        if named:
            yield f"{what}: {', '.join(named)}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        yield "  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])
