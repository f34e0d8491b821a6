"""The notes about what decoding has changed, and HEIC files, which an optional package reads."""

import io
import struct
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dptools.errors import SampleError
from dptools.pipe.heif import register_heif
from dptools.pipe.image import decode


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_alpha(level: int) -> Image.Image:
    image = Image.new("RGBA", (2, 2), (9, 9, 9, 255))
    image.putpixel((0, 0), (9, 9, 9, level))
    return image


def rotated(kind: str = "JPEG", orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file(Image.new("RGB", (4, 2)), kind, exif=exif)


def deep_png() -> bytes:
    """Return a PNG file with 16 bits per channel, which Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes.fromhex("ff00 8000 0100"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


DEPTH = "16-bit samples reduced to 8 bits"
GREY = "grey expanded to RGB"


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (file(Image.new("RGB", (3, 3))), []),
        (file(Image.new("RGB", (3, 3)).quantize(4)), []),
        (file(with_alpha(255)), []),
        (file(with_alpha(254)), ["transparency composited over white"]),
        (file(Image.new("L", (2, 2)), "JPEG"), [GREY]),
        (file(Image.new("1", (2, 2))), [GREY]),
        (file(Image.new("LA", (2, 2), (1, 2))), [GREY, "transparency composited over white"]),
        (file(Image.new("CMYK", (2, 2)), "JPEG"), ["CMYK converted to RGB"]),
        (file(Image.fromarray(np.full((2, 2), 999, np.uint16))), [DEPTH, GREY]),
        (file(Image.fromarray(np.full((2, 2), 999, np.uint16)), "TIFF"), [DEPTH, GREY]),
        (deep_png(), [DEPTH]),
        (b"P5 1 1 1023\n\3\xff", [DEPTH, GREY]),
        (b"P5 1 1 65535\n\3\xff", [DEPTH, GREY]),
        (b"P2 1 1 1023\n1023\n", [DEPTH, GREY]),
        (b"P6 1 1 65535\n\3\xff\3\xff\3\xff", [DEPTH]),
        (b"P6 1 1 100\n\3\3\3", []),
        (b"P1 1 1\n1\n", [GREY]),
        (rotated(), ["EXIF orientation applied"]),
        (rotated(orientation=0), []),
        (rotated(orientation=1), []),
        (rotated(orientation=9), []),
        (rotated("PNG"), ["EXIF orientation applied"]),
        (rotated("WEBP"), ["EXIF orientation applied"]),
    ],
)
def test_notes_state_what_decoding_has_changed(data: bytes, notes: list[str]) -> None:
    assert list(decode(data).notes) == notes


def test_heic_is_read() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file(Image.linear_gradient("L").convert("RGB").resize((64, 32)), "HEIF", quality=90, exif=exif.tobytes())
    decoded = decode(data)
    assert decoded.pixels.shape == (64, 32, 3)
    assert decoded.notes == ("EXIF orientation applied",)
    assert decoded.info.kind == "HEIF"


def test_heic_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    register_heif.cache_clear()
    with pytest.raises(SampleError, match=r"pip install 'deep-protection\[heic\]'"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    with pytest.raises(SampleError, match="not an image"):  # AVIF, which Pillow reads, if it were intact
        decode(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf")
