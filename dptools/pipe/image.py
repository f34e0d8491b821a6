"""Decode image files of many formats to 8-bit sRGB pixels, H x W x 3, and encode pixels with a record inside."""

import io
import json
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from dptools.errors import SampleError
from dptools.pipe.colours import has_valid_profile, to_8_bits, to_srgb
from dptools.pipe.embedding import jpeg_text, webp_text
from dptools.pipe.file_formats import FileInfo
from dptools.pipe.file_info import exif_of, file_info, xmp_of
from dptools.pipe.formats import describe
from dptools.pipe.heif import is_heif, register_heif
from dptools.pipe.record import MAX_LINE, Record, parse

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

WHITE_IS_ZERO = 0
"""The value of the TIFF tag PhotometricInterpretation for grey images whose value 0 is white. Pillow inverts 8 bits."""

warnings.filterwarnings("ignore", module=r"PIL\.")  # for the whole process: catch_warnings is not thread-safe

Image.init()  # load all plug-ins; by itself, Pillow loads only the most common ones


@dataclass(frozen=True)
class Decoded:
    """The content of an image file.

    Attributes:
        pixels: H x W x 3 uint8, sRGB.
        record: The record inside a file written by dptools, None in other files.
        notes: What was changed while decoding, such as ``first of 12 frames``.
        info: What the file holds besides its pixels.
    """

    pixels: Pixels
    record: Record | None
    notes: tuple[str, ...]
    info: FileInfo


def decode(data: bytes) -> Decoded:
    """Decode an image file of any format in FORMATS.

    EXIF orientation is applied, ICC profiles are converted to sRGB, and transparent images are composited over white.
    16-bit values are reduced to 8 bits. Only the first of several frames is returned.

    Args:
        data: The bytes of the file.

    Raises:
        SampleError: The data is empty, damaged, not an image, or a decompression bomb.
    """
    with _opened(io.BytesIO(data)) as image:
        return _decode(image, data)


def embedded_record(data: bytes) -> Record | None:
    """Return the record inside an image file, without decoding its pixels; None if there is none.

    Raises:
        SampleError: As :func:`decode`.
    """
    with _opened(io.BytesIO(data)) as image:
        return _embedded_record(image, data)[0]


def kind_of_file(file: BinaryIO) -> FileInfo:
    """Return the format of an image file, without anything else. Of most formats, only the header is read.

    Raises:
        SampleError: As :func:`decode`.
    """
    with _opened(file) as image:
        return FileInfo(image.format or "")


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """Open an image file of any format in FORMATS, and turn all errors inside the block into SampleErrors."""
    if not (head := file.read(512)):
        raise SampleError("EmptyFile", "empty file")
    file.seek(0)
    formats = (*FORMATS, register_heif()) if is_heif(head) else FORMATS
    try:
        with Image.open(file, formats=formats) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = f"{Image.MAX_IMAGE_PIXELS or 0:,}"
        raise SampleError(
            "DecompressionBomb", f"more than {limit} pixels, refused as a decompression bomb: make it smaller first"
        ) from None
    except UnidentifiedImageError:
        raise SampleError("NotAnImage", describe(head) or "not an image, or in an unsupported format") from None
    except SampleError:
        raise
    except MemoryError:
        raise SampleError("OutOfMemory", "out of memory: the image is too large") from None
    except Exception as error:  # Pillow's plug-ins raise many types of exception on damaged files
        raise SampleError("DamagedImage", f"damaged image: {_reason(error)}") from None


def _decode(image: Image.Image, data: bytes) -> Decoded:
    notes = []
    if (frames := _count_frames(image)) > 1:
        notes.append(f"first of {frames}{' or more' * (frames == MAX_FRAMES)} frames")
        image.seek(0)
    if (bits := _bits(image)) > 8:
        notes.append(f"{bits}-bit samples reduced to 8 bits")
    image.load()
    record, broken_record = _embedded_record(image, data)
    profiled = has_valid_profile(image)
    info = file_info(image, data, profiled)
    upright, orientation = _upright(image)
    inverted = getattr(image, "tag_v2", {}).get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO
    rgb, changes = to_srgb(to_8_bits(upright, bits, inverted))
    notes += [note for note in (broken_record, orientation) if note] + changes
    info = replace(info, exif=exif_of(upright), xmp=xmp_of(upright))
    return Decoded(np.asarray(rgb, dtype=np.uint8), record, tuple(notes), info)


def _bits(image: Image.Image) -> int:
    """Return the number of bits per sample of an image that has not been decoded yet; fewer than 8 count as 8."""
    raw_modes = " ".join(str(tile[3]) for tile in getattr(image, "tile", ()))
    if "I;12" in raw_modes:
        return 12
    if image.mode.startswith("I;16") or ";16" in raw_modes or _maximum_of_pnm(image) > 255:
        return 16
    return 32 if image.mode in ("I", "F") else 8


def _maximum_of_pnm(image: Image.Image) -> int:
    """Return the largest value that a PNM file states, and for which Pillow scales its values; 0 for other files."""
    tiles = getattr(image, "tile", ()) if image.format == "PPM" else ()
    return max((int(tile[3][1]) for tile in tiles if tile[0] != "raw" and isinstance(tile[3], tuple)), default=0)


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
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        if orientation not in range(2, 9):  # exif_transpose copies upright images too
            decoded_upright = image.info.get("original_orientation") not in (None, 1)  # as libheif does
            return image, "EXIF orientation applied" if decoded_upright else None
        return ImageOps.exif_transpose(image), "EXIF orientation applied"
    except Exception:  # Pillow raises many types of exception on damaged EXIF, while the pixels may be intact
        return image, "broken EXIF ignored"


def _embedded_record(image: Image.Image, data: bytes) -> tuple[Record | None, str | None]:
    """Return the record in a file, and a note if it is invalid."""
    text = _embedded_text(image, data)
    if not text:
        return None, None
    if len(text) > MAX_LINE:
        return None, f"embedded record ignored: longer than {MAX_LINE:,} characters"
    try:
        return parse(json.dumps({**json.loads(text), "path": "-"})), None
    except (SampleError, ValueError, TypeError, RecursionError) as error:
        return None, f"embedded record ignored: {_reason(error)}"


def _embedded_text(image: Image.Image, data: bytes) -> str | bytes:
    if image.format in ("JPEG", "MPO"):
        return jpeg_text(getattr(image, "applist", []))
    if image.format == "WEBP":
        return webp_text(data)
    text = image.info.get(KEYWORD)
    return text if isinstance(text, str) else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, struct.error):
        return "cut off"
    return str(error) or type(error).__name__
