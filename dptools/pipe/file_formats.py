"""Name the format of image files, and state what the file of an input was like. This module imports nothing heavy."""

from dataclasses import dataclass, field

from dptools.errors import UsageError

NAMES = ("png", "jpeg[:Q]", "webp[:Q]", "same")
"""The formats of output images, as users write them. Q is a quality from 1 to 100."""

LOSSLESS = ("png", "webp")
"""The formats that keep every pixel."""

SUFFIXES = {"png": (".png",), "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "webp": (".webp",)}
"""The suffixes of each format. New files get the first one."""

JPEG_QUALITY = 90
"""The quality of JPEG files if none is given."""

LOSSY_QUALITY = 92
"""The quality for ``same`` where that of the input is unknown: lossy WebP, AVIF and HEIC."""


@dataclass(frozen=True)
class FileInfo:
    """What the file of an image holds besides its pixels.

    Attributes:
        kind: Pillow's name of the format, such as ``JPEG``.
        lossless: Whether a WebP file is compressed without loss.
        tables: The quantisation tables of a JPEG file, for brightness and colour, 64 numbers each.
        subsampling: The chroma subsampling of a JPEG file in Pillow's numbering: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        exif: The EXIF data without the orientation, which has been applied; empty if there is none.
        xmp: The XMP packet without the orientation; empty if there is none.
        profiled: Whether the file has a valid colour profile.
    """

    kind: str
    lossless: bool = False
    tables: tuple[tuple[int, ...], ...] = ()
    subsampling: int = 2
    exif: bytes = b""
    xmp: bytes = b""
    profiled: bool = False


@dataclass(frozen=True)
class FileFormat:
    """The format of an output image.

    Attributes:
        name: ``png``, ``jpeg``, ``webp`` or ``same``.
        quality: From 1 to 100. None is lossless for WebP, and for JPEG the quality of the input.
    """

    name: str = "png"
    quality: int | None = None

    def __str__(self) -> str:
        return self.name if self.quality is None else f"{self.name}:{self.quality}"

    @property
    def lossless(self) -> bool:
        """Whether every image keeps its pixels in this format."""
        return self.name == "png" or (self.name == "webp" and self.quality is None)

    def resolve(self, info: FileInfo | None) -> "FileFormat":
        """Return the format of one output. ``same`` is that of the input; formats that are not written are replaced.

        AVIF and HEIC become JPEG, because they are formats of photographs with loss; all others become PNG.

        Args:
            info: The file of the input.
        """
        if self.name != "same":
            return self
        match info.kind if info else "PNG":
            case "JPEG" | "MPO":  # MPO is a JPEG file with further images in it, as many phones write
                return FileFormat("jpeg")
            case "WEBP":
                return FileFormat("webp", None if info and info.lossless else LOSSY_QUALITY)
            case "AVIF" | "HEIF":
                return FileFormat("jpeg", LOSSY_QUALITY)
        return FileFormat()


@dataclass(frozen=True)
class FileOptions:
    """What output files are like.

    Attributes:
        format: Their format.
        metadata: Whether they keep the metadata of the input: EXIF, XMP, and a colour profile.
        record: Whether they hold the record.
    """

    format: FileFormat = field(default_factory=FileFormat)
    metadata: bool = False
    record: bool = True

    @property
    def params(self) -> dict[str, object]:
        """The options that differ from the defaults and determine the bytes of a file."""
        return {
            **({} if self.format == FileFormat() else {"format": str(self.format)}),
            **({"metadata": True} if self.metadata else {}),
        }


DEFAULT = FileOptions()
"""PNG files with the record, without metadata."""


def parse_format(text: str) -> FileFormat:
    """Return the format that a text names, such as ``jpeg:90``.

    Raises:
        UsageError: The name is unknown, or the quality is not a whole number from 1 to 100.
    """
    name, colon, value = text.lower().partition(":")
    name = "jpeg" if name == "jpg" else name
    if name not in (*SUFFIXES, "same"):
        raise UsageError(f"unknown format {text!r}: choose {', '.join(NAMES)}")
    if not colon:
        return FileFormat(name, JPEG_QUALITY if name == "jpeg" else None)
    if name not in ("jpeg", "webp"):
        raise UsageError(f"format {text}: {name} has no quality")
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 100:
        raise UsageError(f"format {text}: give a quality from 1 to 100, as in {name}:90")
    return FileFormat(name, int(value))
