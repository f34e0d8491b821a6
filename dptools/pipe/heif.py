"""Read HEIC photographs with pillow-heif, an optional package, because its codec is large."""

from functools import cache

from dptools.errors import SampleError

BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
"""The brands of HEIF files. AVIF files, which Pillow reads, may have ``mif1`` too, besides a brand of their own."""


def is_heif(data: bytes) -> bool:
    """Return whether data is a HEIF file and no AVIF file, by the brands at its beginning."""
    if data[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[start : start + 4] for start in range(16, size, 4))}
    return bool(brands & BRANDS) and not brands & {b"avif", b"avis"}


@cache
def register_heif() -> str:
    """Make Pillow read HEIF files, and return Pillow's name of the format.

    Raises:
        SampleError: pillow-heif is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        message = "a HEIC image, which needs another package: pip install 'deep-protection[heic]'"
        raise SampleError("UnsupportedFormat", message) from None
    pillow_heif.register_heif_opener(thumbnails=False)
    return "HEIF"
