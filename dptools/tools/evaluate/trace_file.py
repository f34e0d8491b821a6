"""Read the trace files that dp-denoise writes."""

import json
from collections.abc import Iterator
from pathlib import Path

from dptools.errors import UsageError
from dptools.pipe.record import Record

MAX_COUNT = 10**9
"""Iterations and ranks must be smaller than this number."""


def read_trace(path: Path) -> Iterator[Record]:
    """Read a trace line by line.

    Args:
        path: A file of JSON Lines. Each line describes one iteration of the fit to one image: the ``id`` of the image,
            the ``iteration``, and optionally ``label_rank`` and ``attack``.

    Yields:
        The lines as dictionaries, in the order of the file. Empty lines are left out.

    Raises:
        UsageError: The file cannot be read, or a line is not a valid line of a trace.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _parse(line, f"{path}: line {number}")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _parse(line: bytes, where: str) -> Record:
    try:
        point = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: not valid JSON") from None
    if not isinstance(point, dict) or not isinstance(point.get("id"), str) or not _is_count(point.get("iteration")):
        raise UsageError(f"{where}: not a line of a trace, which has an id and an iteration")
    if not (point.get("label_rank") is None or _is_count(point["label_rank"])):
        raise UsageError(f"{where}: not a line of a trace: label_rank must be a positive integer or null")
    if not isinstance(point.get("attack", ""), str):
        raise UsageError(f"{where}: not a line of a trace: attack must be a string")
    return point


def _is_count(value: object) -> bool:
    """Return whether a value is a positive integer of a plausible size; a boolean is not."""
    return type(value) is int and 0 < value < MAX_COUNT
