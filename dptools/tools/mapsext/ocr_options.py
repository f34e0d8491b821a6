"""What dp-mapsext does with words."""

import os
from dataclasses import dataclass
from pathlib import Path

from dptools.errors import SampleError, UsageError, check_name
from dptools.maps.names import FORMATS, READERS
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class OcrOptions:
    """What is done with words.

    Attributes:
        wanted: they are read.
        reader, language: who reads, and in which language.
        scale: factor by which a map is enlarged before.
        form: what goes to standard output: one of FORMATS.
        overlay: an image file, or a directory of such, with the words drawn on the map.
    """

    wanted: bool = False
    reader: str = "rapidocr"
    language: str = "eng"
    scale: float = 2.0
    form: str = "jsonl"
    overlay: Path | None = None

    def __post_init__(self) -> None:
        check_name("reader", self.reader, READERS)
        check_name("format", self.form, FORMATS)
        if self.overlay and self.overlay.suffix and not self.one_file and not self.overlay.is_dir():
            raise UsageError(f"--overlay {self.overlay}: name a directory, or a file that ends in {', '.join(IMAGES)}")
        changed = {"--reader": self.reader != READERS[0], "--lang": self.language != "eng", "--scale": self.scale != 2}
        for option in (option for option, other in changed.items() if other and not self):
            raise UsageError(f"{option} is for reading: give --words too")

    def __bool__(self) -> bool:
        return self.wanted or self.form != "jsonl" or self.overlay is not None

    @property
    def facts(self) -> Record:
        """All that what is found hangs on."""
        if not self:
            return {}
        named = {"reader": self.reader, "language": self.language, "overlay": str(self.overlay or "")}
        return named | ({} if self.reader == "tesseract-page" else {"scale": self.scale})

    @staticmethod
    def overlay_of(sample: Sample, named: Path) -> tuple[Path, Path]:
        """The file for a map's overlay, the one that is named or one in the directory, and the directory.

        Raises:
            SampleError: it is the map itself.
        """
        from dptools.pipe.sink import target

        path, root = (named, named.parent) if _is_image(named) else (target(named, f"{sample.id}@words"), named)
        for image in (str(sample.record.get(name, "")) for name in ("path", "source")):
            if path.exists() and os.path.exists(image) and path.samefile(image):
                raise SampleError("WriteError", f"the overlay {path} would overwrite the map")
        return path, root

    @property
    def one_file(self) -> bool:
        """The overlay is named as a file."""
        return self.overlay is not None and _is_image(self.overlay)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGES
