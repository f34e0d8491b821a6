"""Image files to pixels and back. Whatever comes in leaves as 8-bit sRGB, H x W x 3; whatever goes out is PNG."""

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
from dptools.pipe.record import MAX_LINE, Record, dump, parse

Pixels = NDArray[np.uint8]

KEYWORD = "dptools"
"""Of the PNG iTXt chunk that holds the record."""

FORMATS = (
    *("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000", "TGA", "ICO"),
    *("CUR", "DDS", "ICNS", "PCX", "PSD", "QOI", "SGI", "SUN", "XBM", "XPM"),
)
"""What is read: Pillow's formats of pixels. EPS and WMF are programs, which others would have to run."""

MOST_FRAMES = 1000
"""So many are counted."""

Image.init()  # its plug-ins, of which it would take only the commonest by itself

VOLATILE = {"path", "cached", "seconds"}
"""Keys that differ between two equal runs, so they stay out of the file: same input and seed, same bytes."""


@dataclass(frozen=True)
class Decoded:
    """An image file's content.

    Attributes:
        pixels: H x W x 3 uint8, sRGB.
        record: the record that a dptools PNG carries, if it does.
        notes: what had to be decided to get these pixels.
    """

    pixels: Pixels
    record: Record | None
    notes: tuple[str, ...]


def decode(data: bytes) -> Decoded:
    """Decode an image file of any format in FORMATS.

    EXIF orientation is applied, ICC profiles are converted to sRGB, alpha is laid over white, 16 bits become 8, and of
    several frames the first is taken.

    Raises:
        SampleError: the data is empty, cut off, no image, or a decompression bomb.
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
        raise SampleError("NotAnImage", "not an image, or in a format that is not read here") from None
    except SampleError:
        raise
    except MemoryError:
        raise SampleError("OutOfMemory", "too large for the memory at hand") from None
    except Exception as error:  # Pillow's plug-ins raise nearly anything on damaged files
        raise SampleError("DamagedImage", f"damaged image: {_reason(error)}") from None


def encode(pixels: Pixels, record: Record) -> bytes:
    """A PNG file with the record inside; equal arguments give equal bytes, whatever the time they took."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEYWORD, dump(steady(record)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def steady(value: Any) -> Any:
    """The record without the keys that differ between two equal runs, at any depth."""
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return value


def _decode(image: Image.Image) -> Decoded:
    notes = []
    if (frames := _frames(image)) > 1:
        notes.append(f"first of {frames}{' or more' * (frames == MOST_FRAMES)} frames")
        image.seek(0)
    image.load()
    record, complaint = _record_inside(image)
    upright, broken_exif = _upright(image)
    rgb, broken_profile = to_srgb(to_8_bits(upright))
    notes += [note for note in (complaint, broken_exif, broken_profile) if note]
    return Decoded(np.asarray(rgb, dtype=np.uint8), record, tuple(notes))


def _frames(image: Image.Image) -> int:
    """How many there are. Of a TIFF, Pillow takes the longer to find the next the more there were."""
    if image.format != "TIFF":
        return int(getattr(image, "n_frames", 1))
    for frame in range(1, MOST_FRAMES):
        try:
            image.seek(frame)
        except EOFError:
            return frame
    return MOST_FRAMES


def _upright(image: Image.Image) -> tuple[Image.Image, str | None]:
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1  # Pillow copies what is upright
        return ImageOps.exif_transpose(image) if turned else image, None
    except Exception:  # whatever Pillow raises on damaged EXIF, which says nothing of the pixels
        return image, "broken EXIF ignored"


def _record_inside(image: Image.Image) -> tuple[Record | None, str | None]:
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
