"""Options of dp-mapsext for reading words."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dptools.errors import UsageError, check_name
from dptools.maps.choices import FORMATS, READERS
from dptools.pipe.record import Record
from dptools.tools.mapsext.overlay import SUFFIXES, is_file


@dataclass(frozen=True)
class OcrOptions:
    """Settings for reading and writing words.

    Attributes:
        words: Whether words are read. An overlay implies it, and so does an output format other than ``jsonl``.
        reader: One of :data:`dptools.maps.READERS`.
        language: Language of the words, as Tesseract names it.
        scale: Factor by which a map is enlarged before it is read.
        output_format: Format of standard output, one of :data:`dptools.maps.FORMATS`.
        overlay: The file or directory to write maps to, with their words drawn on them.
        lexicon: A file of names by which words are corrected.

    Raises:
        UsageError: An option is unknown, or has no effect because no words are read.
    """

    words: bool = False
    reader: str = "rapidocr"
    language: str = "eng"
    scale: float = 2.0
    output_format: str = "jsonl"
    overlay: Path | None = None
    lexicon: Path | None = None

    def __post_init__(self) -> None:
        check_name("reader", self.reader, READERS)
        check_name("format", self.output_format, FORMATS)
        if self.overlay and self.overlay.suffix and not is_file(self.overlay) and not self.overlay.is_dir():
            suffixes = ", ".join(SUFFIXES)
            raise UsageError(f"--overlay {self.overlay}: name a directory, or a file that ends in {suffixes}")
        if self.lexicon and not self.lexicon.is_file():
            raise UsageError(f"--lexicon {self.lexicon}: no such file")
        changed = {"--reader": self.reader != READERS[0], "--lang": self.language != "eng", "--scale": self.scale != 2}
        changed["--lexicon"] = self.lexicon is not None
        if not self.enabled and any(changed.values()):
            option = next(name for name, is_changed in changed.items() if is_changed)
            raise UsageError(f"{option} has no effect unless words are read: add --words")

    @property
    def enabled(self) -> bool:
        """Whether words are read."""
        return self.words or self.output_format != "jsonl" or self.overlay is not None

    @property
    def cache_params(self) -> Record:
        """Settings that belong in the cache key."""
        if not self.enabled:
            return {}
        # It begins like a path, so that image files hold only its last part; see dptools.pipe.embedded.
        overlay = os.path.join(".", self.overlay) if self.overlay else ""
        params: Record = {"reader": self.reader, "language": self.language, "overlay": overlay}
        if self.lexicon:
            params["lexicon"] = hashlib.sha256(self.lexicon.read_bytes()).hexdigest()
        return params | ({} if self.reader == "tesseract-page" else {"scale": self.scale})

    @property
    def overlay_file(self) -> Path | None:
        """The overlay if it is a file."""
        return self.overlay if self.overlay and is_file(self.overlay) else None

    @property
    def overlay_directory(self) -> Path | None:
        """The overlay if it is a directory."""
        return self.overlay if self.overlay and not is_file(self.overlay) else None
