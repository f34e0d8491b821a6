"""A stream's lines, as they come; none takes more memory than the longest that is accepted."""

from collections.abc import Iterator
from typing import BinaryIO

from dptools.pipe.record import MAX_LINE


def lines(stream: BinaryIO, head: bytes, end: bytes) -> Iterator[bytes]:
    """Lines that end in this byte; one that is longer than MAX_LINE is cut to one byte more, by which it is known.

    Args:
        head: what was read of the stream already.
        end: a newline, which stays on the lines, or NUL, which does not.
    """
    return _split(stream, head) if end == b"\n" else _split_null(stream, head)


def _split(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    *whole, head = head.split(b"\n")
    yield from (line + b"\n" for line in whole)
    while line := head + stream.readline(MAX_LINE + 1):
        head = b""
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


def _split_null(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    while chunk := stream.read1(65536):  # type: ignore[attr-defined]  # every buffered reader has it
        *whole, head = (head + chunk).split(b"\0")
        yield from whole
        head = head[: MAX_LINE + 1]
    if head:
        yield head
