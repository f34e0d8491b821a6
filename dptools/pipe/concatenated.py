"""Recognise files that follow each other in one stream, as ``cat a.jpg b.jpg`` writes them.

Decoders of images read the first one and ignore the rest, and a Parquet file is read from its end, so the other images
would be lost without a message.
"""

import re
from typing import BinaryIO

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A JPEG marker within compressed data, which escapes other bytes 0xFF."""

_MULTI_PICTURE = b"MPF\0"
"""The start of the APP2 segment of a JPEG file that holds several pictures on purpose, such as a gain map."""

_PARQUET_BOUNDARY = b"PAR1PAR1"
"""The end of a Parquet file and the start of the next one."""

_CHUNK = 2**18
"""The number of bytes per read."""


def holds_several(data: bytes) -> bool:
    """Return whether a PNG or JPEG file is followed by another one. False for other and for damaged files."""
    end = _end_of_png(data) if data.startswith(_PNG) else _end_of_jpeg(data) if data.startswith(_JPEG) else None
    return end is not None and data.startswith((_JPEG, _PNG), end)


def holds_several_parquet(file: BinaryIO, unexplained: int) -> bool:
    """Return whether a Parquet file follows other ones. Page indexes and Bloom filters do not count.

    Args:
        file: The file.
        unexplained: The number of bytes that the description at its end does not account for: the previous files are
            not longer than that.
    """
    file.seek(0)
    rest, tail = unexplained + len(_PARQUET_BOUNDARY) // 2, b""
    while rest > 0 and (chunk := file.read(min(rest, _CHUNK))):
        rest -= len(chunk)
        if _PARQUET_BOUNDARY in tail + chunk:
            return True
        tail = (tail + chunk)[1 - len(_PARQUET_BOUNDARY) :]
    return False


def _end_of_png(data: bytes) -> int | None:
    """Return the position after the last chunk; None if the file is cut off."""
    position = len(_PNG)
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            return position
    return None


def _end_of_jpeg(data: bytes) -> int | None:
    """Return the position after the end marker; None if the file is cut off or holds several pictures on purpose."""
    position = 2
    while (match := _MARKER.search(data, position)) is not None:
        marker, position = match[0][1], match.end()
        if marker == 0xD9:  # end of image
            return position
        if marker == 0xE2 and data.startswith(_MULTI_PICTURE, position + 2):
            return None
        position += int.from_bytes(data[position : position + 2], "big")
    return None
