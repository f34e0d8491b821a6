"""Read what an image file holds besides its pixels, and write its metadata into another file."""

import re
from functools import cache
from typing import Any

from PIL import ExifTags, Image, ImageCms, JpegImagePlugin

from dptools.pipe.embedding import webp_chunks
from dptools.pipe.file_formats import FileInfo

_ORIENTATION = re.compile(rb"""tiff:Orientation=["'][0-9]["']|<tiff:Orientation>[0-9]</tiff:Orientation>""")

_DESCRIPTIONS = {
    *(ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software),
    *(ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.Copyright),
    *(ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo),
}
"""The tags of a TIFF file that describe the picture. The other ones describe how the file stores its pixels."""

SRGB = 1
"""The value of the EXIF tag ColorSpace for sRGB."""


def file_info(image: Image.Image, data: bytes, profiled: bool) -> FileInfo:
    """Return what an image file holds besides its pixels.

    Args:
        image: The open image. If its orientation has been applied, its metadata must say so.
        data: The bytes of the file.
        profiled: Whether the file has a valid colour profile.
    """
    kind = image.format or ""
    lossless = kind == "WEBP" and _is_lossless(data)
    tables = tuple(tuple(table) for _, table in sorted(getattr(image, "quantization", {}).items())[:2])
    subsampling = JpegImagePlugin.get_sampling(image) if tables else -1
    return FileInfo(kind, lossless, tables, subsampling if subsampling >= 0 else 2, profiled=profiled)


def _is_lossless(data: bytes) -> bool:
    """Return whether the first frame of a WebP file is compressed without loss."""
    for name, content in webp_chunks(data):
        if name == b"ANMF":  # a frame of an animation: 16 bytes, and then its chunks
            return any(kind == b"VP8L" for kind, _ in webp_chunks(content, 16))
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8L"
    return False


def exif_of(image: Image.Image) -> bytes:
    """Return the EXIF data of an image without the orientation; empty if there is none, or if it is damaged."""
    try:
        exif = image.getexif()
        own = _DESCRIPTIONS if image.format == "TIFF" else set(exif)
        for tag in set(exif) - own | {ExifTags.Base.Orientation}:
            exif.pop(tag, None)
        return exif.tobytes() if len(exif) else b""
    except Exception:  # Pillow raises many types of exception on damaged EXIF
        return b""


def xmp_of(image: Image.Image) -> bytes:
    """Return the XMP packet of an image without the orientation; empty if there is none."""
    packet: Any = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "surrogatepass")
    return _ORIENTATION.sub(b"", packet) if isinstance(packet, bytes) else b""  # damaged TIFF files have other types


def exif_for(data: bytes, size: tuple[int, int]) -> bytes:
    """Return EXIF data for an image in sRGB: its tags for width, height and colour space are set, if there are any.

    Args:
        data: EXIF data.
        size: Width and height, in pixels.
    """
    exif = Image.Exif()
    exif.load(data)
    values = {
        ExifTags.Base.ExifImageWidth: size[0],
        ExifTags.Base.ExifImageHeight: size[1],
        ExifTags.Base.ColorSpace: SRGB,
    }
    if ExifTags.IFD.Exif in exif:
        details = exif.get_ifd(ExifTags.IFD.Exif)
        details.update({tag: value for tag, value in values.items() if tag in details})
    return exif.tobytes()


@cache
def srgb_profile() -> bytes:
    """Return a colour profile for sRGB, with a fixed date, so that equal images give equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")  # 1 January 2000
    profile[84:100] = bytes(16)  # the hash of the profile: not computed
    return bytes(profile)
