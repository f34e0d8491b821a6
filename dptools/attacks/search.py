"""The weakest of a series of ever stronger perturbations that succeeds, without trying them all."""

from collections.abc import Callable, Sequence
from itertools import pairwise

SAFETY = 1.5
"""How many times steeper than seen nearby the margin may be between two levels that were asked."""

Margins = Callable[[Sequence[int]], Sequence[float]]
"""Levels to margins; above 0 the attack succeeds."""


def weakest(margins: Margins, most: int, width: int = 1) -> int | None:
    """The smallest level, 1 <= level <= most, with a margin above 0; None if there is none.

    It asks at 1, 2, 4, 8, ... up to the first success, and then only in those gaps below it in which, were the margin
    up to SAFETY times as steep as it is seen to be there, an earlier success could hide. On margins no wilder than that
    it ends where a linear search from 1 upwards ends.

    Args:
        width: how many levels to ask at once.
    """
    known: dict[int, float] = {}
    while levels := _next(known, most, width):
        known.update(zip(levels, margins(levels), strict=True))
    return _first_success(known)


def _first_success(known: dict[int, float]) -> int | None:
    return min((level for level, margin in known.items() if margin > 0), default=None)


def _next(known: dict[int, float], most: int, width: int) -> list[int]:
    """The levels to ask about next; none when the search is over."""
    first, top = _first_success(known), max(known, default=0)
    if first is None and top < most:
        doubled = [min(max(1, top) * 2**power, most) for power in range(0 if not top else 1, width + 1)]
        return list(dict.fromkeys(doubled))[:width]
    below = sorted(level for level in known if first is None or level <= first)
    gaps = [gap for at, gap in enumerate(pairwise(below)) if _may_hide(below, known, at)]
    return [level for at, gap in enumerate(gaps[:width]) for level in _inside(*gap, share=_share(width, gaps, at))]


def _may_hide(below: list[int], known: dict[int, float], at: int) -> bool:
    """An earlier success may be in the gap that begins at this place."""
    start, end = below[at], below[at + 1]
    if end - start < 2:
        return False
    if known[end] > 0:
        return True
    nearby = pairwise(below[max(0, at - 1) : at + 3])
    steepest = max(abs(known[b] - known[a]) / (b - a) for a, b in nearby)
    return (known[start] + known[end] + SAFETY * steepest * (end - start)) / 2 > 0


def _share(width: int, gaps: list[tuple[int, int]], at: int) -> int:
    """How many levels of those asked at once go into a gap; what is left over goes into the last."""
    asked = min(width, len(gaps))
    return 1 if at < asked - 1 else width - asked + 1


def _inside(start: int, end: int, share: int) -> list[int]:
    """Levels evenly within a gap, its ends left out."""
    count = min(share, end - start - 1)
    return [start + (end - start) * place // (count + 1) for place in range(1, count + 1)]
