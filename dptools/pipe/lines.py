"""Split a stream into lines as they arrive, in memory that is bounded by the longest accepted line."""

from collections.abc import Iterator
from typing import BinaryIO

from dptools.pipe.record import MAX_LINE


def lines(stream: BinaryIO, head: bytes, end: bytes) -> Iterator[bytes]:
    """Yield the lines of a stream.

    A line longer than MAX_LINE bytes is cut to a length that still exceeds MAX_LINE, so that callers can refuse it.

    Args:
        stream: A buffered binary stream.
        head: Bytes that were already read from the stream.
        end: The terminator: a newline, which is kept on the lines, or NUL, which is removed.
    """
    return _split(stream, head) if end == b"\n" else _split_null(stream, head)


def _split(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    *complete, head = head.split(b"\n")
    yield from (line + b"\n" for line in complete)
    while line := head + stream.readline(MAX_LINE + 1):
        head = b""
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


def _split_null(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    while chunk := stream.read1(65536):  # type: ignore[attr-defined]  # every buffered reader has read1
        *complete, head = (head + chunk).split(b"\0")
        yield from complete
        head = head[: MAX_LINE + 1]
    if head:
        yield head
