"""Detect what a stream holds from its first bytes."""

from enum import StrEnum
from typing import BinaryIO

_MAGIC = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM????\0\0\0\0", b"II*\0", b"MM\0*", b"RIFF????WEBP"),
    *(b"\0\0\0?ftyp", b"\0\0\0\x0cjP  ", b"\0\0\x01\0"),
    *(b"P%c%c" % (number, space) for number in b"1234567" for space in b" \t\r\n"),
)
"""The first bytes of the image formats that are detected. A question mark stands for any byte."""

_MAX_MAGIC = max(map(len, _MAGIC))

BOM = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which some programs put before JSON."""


class InputFormat(StrEnum):
    """What standard input holds."""

    IMAGE = "image"
    PATHS = "paths"
    JSONL = "jsonl"


def sniff(stream: BinaryIO) -> tuple[InputFormat, bytes]:
    """Return what a stream holds, and the bytes that were read from it to find out.

    It reads byte by byte and no further than necessary, so it does not wait for a slow writer.
    """
    head, blank = bytearray(), True
    while not _is_image(head) and (blank or _may_be_image(head) or BOM.startswith(head)):
        if not (byte := stream.read(1)):
            break
        head += byte
        blank = (blank and not byte.strip()) or head == BOM
    if _is_image(head):
        return InputFormat.IMAGE, bytes(head)
    text = bytes(head).removeprefix(BOM).lstrip()
    return (InputFormat.JSONL if text.startswith(b"{") else InputFormat.PATHS), bytes(head)


def _is_image(head: bytes | bytearray) -> bool:
    return len(head) <= _MAX_MAGIC and any(len(head) >= len(magic) and _agree(head, magic) for magic in _MAGIC)


def _may_be_image(head: bytes | bytearray) -> bool:
    return any(len(head) < len(magic) and _agree(head, magic) for magic in _MAGIC)


def _agree(head: bytes | bytearray, magic: bytes) -> bool:
    """Return whether one begins with the other. A question mark in ``magic`` matches any byte."""
    return all(expected in (byte, ord("?")) for byte, expected in zip(head, magic, strict=False))
