"""Decode image files of many formats to 8-bit sRGB pixels, H x W x 3, and encode pixels as PNG with a record inside."""

import io
import json
import struct
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from dptools.errors import SampleError
from dptools.pipe.colours import to_8_bits, to_srgb
from dptools.pipe.formats import describe
from dptools.pipe.record import MAX_LINE, Record, dump, parse

Pixels = NDArray[np.uint8]

KEYWORD = "dptools"
"""The keyword of the PNG iTXt chunk that holds the record."""

FORMATS = (
    *("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000", "TGA", "ICO"),
    *("CUR", "DDS", "ICNS", "PCX", "PSD", "QOI", "SGI", "SUN", "XBM", "XPM"),
)
"""The formats that are read: Pillow's raster formats. EPS and WMF are excluded: external programs render them."""

MAX_FRAMES = 1000
"""The frames of a TIFF file are counted up to this number."""

Image.init()  # load all plug-ins; by itself, Pillow loads only the most common ones

VOLATILE = {"path", "cached", "seconds"}
"""Keys that differ between two equal runs. Image files omit them, so the same input and seed give the same bytes."""


@dataclass(frozen=True)
class Decoded:
    """The content of an image file.

    Attributes:
        pixels: H x W x 3 uint8, sRGB.
        record: The record inside a PNG written by dptools, None in other files.
        notes: Choices made while decoding, such as ``first of 12 frames``.
    """

    pixels: Pixels
    record: Record | None
    notes: tuple[str, ...]


def decode(data: bytes) -> Decoded:
    """Decode an image file of any format in FORMATS.

    EXIF orientation is applied, ICC profiles are converted to sRGB, and transparent images are composited over white.
    16-bit values are rounded to 8 bits. Only the first of several frames is returned.

    Args:
        data: The bytes of the file.

    Raises:
        SampleError: The data is empty, damaged, not an image, or a decompression bomb.
    """
    if not data:
        raise SampleError("EmptyFile", "empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _decode(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = f"{Image.MAX_IMAGE_PIXELS or 0:,}"
        raise SampleError("DecompressionBomb", f"more than {limit} pixels: refused as a decompression bomb") from None
    except UnidentifiedImageError:
        raise SampleError("NotAnImage", describe(data) or "not an image, or in an unsupported format") from None
    except SampleError:
        raise
    except MemoryError:
        raise SampleError("OutOfMemory", "out of memory: the image is too large") from None
    except Exception as error:  # Pillow's plug-ins raise many types of exception on damaged files
        raise SampleError("DamagedImage", f"damaged image: {_reason(error)}") from None


def encode(pixels: Pixels, record: Record) -> bytes:
    """Return a PNG file with the record inside, without its volatile keys: equal runs give equal bytes.

    Args:
        pixels: H x W x 3 uint8, sRGB.
        record: The record to embed.
    """
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEYWORD, dump(without_volatile(record)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def without_volatile(value: Any) -> Any:
    """Return a record without the keys that differ between two equal runs, at any depth."""
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [without_volatile(item) for item in value]
    return value


def _decode(image: Image.Image) -> Decoded:
    notes = []
    if (frames := _count_frames(image)) > 1:
        notes.append(f"first of {frames}{' or more' * (frames == MAX_FRAMES)} frames")
        image.seek(0)
    image.load()
    record, broken_record = _embedded_record(image)
    upright, broken_exif = _upright(image)
    rgb, broken_profile = to_srgb(to_8_bits(upright))
    notes += [note for note in (broken_record, broken_exif, broken_profile) if note]
    return Decoded(np.asarray(rgb, dtype=np.uint8), record, tuple(notes))


def _count_frames(image: Image.Image) -> int:
    """Return the number of frames. In TIFF, at most MAX_FRAMES are counted: finding frame n takes time in O(n)."""
    if image.format != "TIFF":
        return int(getattr(image, "n_frames", 1))
    for frame in range(1, MAX_FRAMES):
        try:
            image.seek(frame)
        except EOFError:
            return frame
    return MAX_FRAMES


def _upright(image: Image.Image) -> tuple[Image.Image, str | None]:
    try:
        rotated = image.getexif().get(ExifTags.Base.Orientation, 1) != 1  # exif_transpose copies upright images too
        return ImageOps.exif_transpose(image) if rotated else image, None
    except Exception:  # Pillow raises many types of exception on damaged EXIF, while the pixels may be intact
        return image, "broken EXIF ignored"


def _embedded_record(image: Image.Image) -> tuple[Record | None, str | None]:
    text = image.info.get(KEYWORD)
    if not isinstance(text, str):
        return None, None
    if len(text) > MAX_LINE:
        return None, f"embedded record ignored: longer than {MAX_LINE:,} characters"
    try:
        return parse(json.dumps({**json.loads(text), "path": "-"})), None
    except (SampleError, ValueError, TypeError, RecursionError) as error:
        return None, f"embedded record ignored: {_reason(error)}"


def _reason(error: BaseException) -> str:
    if isinstance(error, struct.error):
        return "cut off"
    return str(error) or type(error).__name__
