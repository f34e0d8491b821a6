"""Count the inputs of a run in advance, where that is possible without reading images."""

import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from dptools.pipe.containers import is_container
from dptools.pipe.walk import SUFFIXES, walk

CHUNK = 2**20
"""The number of bytes per read."""


def input_counter(
    operands: Sequence[str], handle: int | None, null: bool, leave_out: Collection[Path]
) -> Callable[[], int | None]:
    """Return a function that counts the inputs; it returns None if their number cannot be known.

    Args:
        operands: The operands, as :func:`dptools.pipe.source.open_source` takes them.
        handle: The file descriptor of standard input, before anything was read from it; None if it holds no lines.
        null: Whether lines end in NUL instead of newline.
        leave_out: The output directories.
    """
    if operands:
        excluded = [os.path.realpath(directory) for directory in leave_out]
        return lambda: _count_operands(operands, excluded)
    start = _offset(handle) if handle is not None else None
    if handle is None or start is None:
        return lambda: None
    return lambda: _count_lines(_chunks(handle, start), b"\0" if null else b"\n")


def _count_operands(operands: Sequence[str], leave_out: Collection[str]) -> int | None:
    """Return the number of images below directories plus that of image files; None if there are other files."""
    total = 0
    for operand in operands:
        paths = (path for path, _ in walk(operand, leave_out)) if os.path.isdir(operand) else [operand]
        for path in paths:
            if is_container(path) or not (path.lower().endswith(SUFFIXES) or os.path.isdir(operand)):
                return None
            total += 1
    return total


def _offset(handle: int) -> int | None:
    """Return the position in a file; None if it is no regular file, because reading ahead would then take data."""
    try:
        return os.lseek(handle, 0, os.SEEK_CUR) if stat.S_ISREG(os.fstat(handle).st_mode) else None
    except OSError:
        return None


def _chunks(handle: int, start: int) -> Iterator[bytes]:
    """Yield the content of a file. Its position, which other readers share, does not move."""
    while chunk := os.pread(handle, CHUNK, start):
        yield chunk
        start += len(chunk)


def _count_lines(chunks: Iterator[bytes], end: bytes) -> int:
    """Return the number of lines that are not blank."""
    total, rest = 0, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(end)
        total += sum(1 for line in lines if line.strip())
    return total + bool(rest.strip())
