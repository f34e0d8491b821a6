"""Detect what a stream holds from its first bytes."""

import re
from enum import StrEnum
from typing import BinaryIO

from dptools.pipe.forward_file import GZIP, ZSTD
from dptools.pipe.parquet_file import MAGIC as PARQUET
from dptools.pipe.parquet_file import START as PARQUET_START
from dptools.pipe.shard_stream import is_header

_MAGIC = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM????\0\0\0\0", b"RIFF????WEBP", b"\0\0\0?ftyp", b"\0\0\x01\0"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF and BigTIFF
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),  # JPEG 2000, as a file and as a codestream
    *(b"P%c%c" % (number, space) for number in b"1234567" for space in b" \t\r\n"),
)
"""The first bytes of the image formats that are detected. A question mark stands for any byte."""

_MAX_MAGIC = max(map(len, _MAGIC))

_BLOCK = 512
"""The number of bytes that suffice to recognise a tar file. An empty one begins with zeros."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which some programs put before JSON."""


class InputFormat(StrEnum):
    """What standard input holds."""

    IMAGE = "image"
    PATHS = "paths"
    JSONL = "jsonl"
    TAR = "tar"
    PARQUET = "parquet"


def sniff(stream: BinaryIO) -> tuple[InputFormat, bytes]:
    """Return what a stream holds, and the bytes that were read from it to find out.

    It reads byte by byte and no further than necessary, so it does not wait for a slow writer: a list of paths is read
    up to its first newline.
    """
    head, blank, form = bytearray(), True, None
    while form is None and (byte := stream.read(1)):
        head += byte
        blank = (blank and not byte.strip()) or head == BOM
        form = None if blank else _detect(bytes(head))
    if form is None:
        form = InputFormat.TAR if is_header(bytes(head)) else InputFormat.PATHS
    return form, bytes(head)


def _detect(head: bytes) -> InputFormat | None:
    """Return what a stream that starts with these bytes holds; None if more bytes are needed."""
    if _is_image(head):
        return InputFormat.IMAGE
    text = head.removeprefix(BOM).lstrip()
    if text.startswith(b"{"):
        return InputFormat.JSONL
    if head.startswith((GZIP, ZSTD)):
        return InputFormat.TAR
    if re.match(PARQUET_START, head):
        return InputFormat.PARQUET
    if _may_be_image(head) or any(start.startswith(head) for start in (BOM, GZIP, ZSTD, PARQUET)):
        return None
    if text.startswith(b"[") and not text[1:].strip():
        return None  # the next character shows whether this is a JSON array
    if len(head) >= _BLOCK:
        return InputFormat.TAR if is_header(head[:_BLOCK]) or not any(head) else InputFormat.PATHS
    return InputFormat.PATHS if b"\n" in head and b"\0" not in head else None


def _is_image(head: bytes | bytearray) -> bool:
    return len(head) <= _MAX_MAGIC and any(len(head) >= len(magic) and _agree(head, magic) for magic in _MAGIC)


def _may_be_image(head: bytes | bytearray) -> bool:
    return any(len(head) < len(magic) and _agree(head, magic) for magic in _MAGIC)


def _agree(head: bytes | bytearray, magic: bytes) -> bool:
    """Return whether one begins with the other. A question mark in ``magic`` matches any byte."""
    return all(expected in (byte, ord("?")) for byte, expected in zip(head, magic, strict=False))
