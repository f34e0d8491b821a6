"""Encode pixels as a PNG, JPEG or WebP file, with the record and the metadata of the input inside."""

import io
import struct
from typing import Any

from PIL import Image, PngImagePlugin

from dptools.errors import SampleError
from dptools.pipe.embedded import FILE, for_file
from dptools.pipe.embedding import jpeg_with_text, webp_with_text
from dptools.pipe.file_formats import DEFAULT, FileFormat, FileInfo, FileOptions
from dptools.pipe.file_info import exif_for, srgb_profile
from dptools.pipe.image import KEYWORD, Pixels
from dptools.pipe.record import Record, dump

WEBP_EFFORT = 25
"""The effort for lossless WebP files, up to 100. Pillow's default of 80 takes twice as long for files of equal size."""

XMP = "XML:com.adobe.xmp"
"""The keyword of the PNG iTXt chunk that holds an XMP packet."""


def encode(
    pixels: Pixels,
    record: Record,
    options: FileOptions = DEFAULT,
    info: FileInfo | None = None,
    file: Record | None = None,
) -> bytes:
    """Return an image file with the record inside, as :func:`for_file` reduces it: equal runs give equal bytes.

    Args:
        pixels: H x W x 3 uint8, sRGB.
        record: The record to embed.
        options: What the file is like.
        info: The file of the input, for its metadata and for the format ``same``.
        file: What the embedded record says about the file itself; None for nothing.

    Raises:
        SampleError: The format cannot hold an image of this size, or its metadata.
    """
    image = Image.fromarray(pixels)
    chosen = options.format.resolve(info)
    text = dump({**for_file(record), **({FILE: file} if file else {})}) if options.record else ""
    metadata = _metadata(info, image.size) if options.metadata and info else {}
    try:
        return _encode(image, chosen, text, metadata, info)
    except (ValueError, OSError, struct.error) as error:
        raise SampleError("EncodeError", f"cannot be written as {chosen}: {error}") from None


def _encode(
    image: Image.Image, chosen: FileFormat, text: str, metadata: dict[str, bytes], info: FileInfo | None
) -> bytes:
    if chosen.name == "png":
        return _png(image, text, metadata)
    data = _saved(image, chosen.name.upper(), **_compression(chosen, info), **metadata)
    if not text:
        return data
    content = text.encode("ascii")
    return jpeg_with_text(data, content) if chosen.name == "jpeg" else webp_with_text(data, content, image.size)


def _png(image: Image.Image, text: str, metadata: dict[str, Any]) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    if text:
        chunks.add_itxt(KEYWORD, text)
    if packet := metadata.pop("xmp", None):
        chunks.add_itxt(XMP, packet.decode("utf-8", "replace"))
    return _saved(image, "PNG", pnginfo=chunks, **metadata)


def _compression(chosen: FileFormat, info: FileInfo | None) -> dict[str, Any]:
    """Return the arguments of Pillow for the quality. Without a quality, JPEG takes the input's tables."""
    if chosen.quality is not None:
        return {"quality": chosen.quality}
    if chosen.name == "jpeg" and info:
        return {"qtables": [list(table) for table in info.tables], "subsampling": info.subsampling}
    return {"lossless": True, "quality": WEBP_EFFORT}


def _metadata(info: FileInfo, size: tuple[int, int]) -> dict[str, bytes]:
    """Return the metadata of an output, as arguments of Pillow. The pixels are sRGB, whatever the input's profile."""
    return {
        **({"exif": exif_for(info.exif, size)} if info.exif else {}),
        **({"xmp": info.xmp} if info.xmp else {}),
        **({"icc_profile": srgb_profile()} if info.profiled else {}),
    }


def _saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()
