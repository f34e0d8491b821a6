"""Store a text in a JPEG or WebP file, and read it back. PNG files have a chunk for texts, which Pillow writes.

In a JPEG file, the text stands in comment segments (COM), which hold 65,533 bytes each. In a WebP file, it is a chunk
of an own type at the end. Other programs ignore both.
"""

import struct
from collections.abc import Iterator

KEYWORD = b"dptools\0"
"""The first bytes of each comment segment of a JPEG file that holds a part of the text."""

FOURCC = b"DPTL"
"""The type of the chunk in a WebP file."""

_MAX_SEGMENT = 65533 - len(KEYWORD)


def jpeg_with_text(data: bytes, text: bytes) -> bytes:
    """Return a JPEG file with the text, behind the segments at its beginning that describe the application.

    Args:
        data: A JPEG file.
        text: The text.
    """
    end = 2
    while data[end] == 0xFF and 0xE0 <= data[end + 1] <= 0xEF:
        end += 2 + int.from_bytes(data[end + 2 : end + 4], "big")
    parts = [text[start : start + _MAX_SEGMENT] for start in range(0, len(text), _MAX_SEGMENT)]
    segments = (b"\xff\xfe" + struct.pack(">H", len(KEYWORD) + len(part) + 2) + KEYWORD + part for part in parts)
    return data[:end] + b"".join(segments) + data[end:]


def jpeg_text(segments: list[tuple[str, bytes]]) -> bytes:
    """Return the text in a JPEG file; empty if there is none.

    Args:
        segments: Names and contents of the segments, as in ``applist`` of Pillow's images.
    """
    return b"".join(part[len(KEYWORD) :] for name, part in segments if name == "COM" and part.startswith(KEYWORD))


def webp_with_text(data: bytes, text: bytes, size: tuple[int, int]) -> bytes:
    """Return a WebP file with the text. It gets the header of the extended format, which allows further chunks.

    Args:
        data: A WebP file.
        text: The text.
        size: Width and height of the image, in pixels.
    """
    body = data[12:]
    if not body.startswith(b"VP8X"):
        sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
        body = _chunk(b"VP8X", bytes(4) + sides) + body
    body += _chunk(FOURCC, text)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def webp_text(data: bytes) -> bytes:
    """Return the text in a WebP file; empty if there is none."""
    return next((content for name, content in webp_chunks(data) if name == FOURCC), b"")


def webp_chunks(data: bytes, start: int = 12) -> Iterator[tuple[bytes, bytes]]:
    """Yield the types and the contents of the chunks of a WebP file, as far as they are complete.

    Args:
        data: The file, or a chunk that holds other chunks.
        start: The position of the first chunk.
    """
    while start + 8 <= len(data):
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        yield data[start : start + 4], data[start + 8 : start + 8 + size]
        start += 8 + size + size % 2


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
