"""dp-mapsext: the text of a map as a mask, and its words."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.errors import UsageError, check_name
from dptools.maps.names import FORMATS, READERS, RULES
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolStage

if TYPE_CHECKING:
    from dptools.stages.mapping import Mapping

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Wording:
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
        """The file for a map's overlay, the one that is named or one in the directory, and the directory."""
        from dptools.pipe.sink import target

        is_file = named.suffix.lower() in IMAGES
        return (named, named.parent) if is_file else (target(named, sample.id), named)


@dataclass(frozen=True)
class Mapsext(ToolStage):
    """Options of dp-mapsext."""

    tool = "dp-mapsext"
    key = "mapsext"

    rule: str = "letters"
    iterations: int | None = None
    wording: Wording = Wording()
    device: str = "auto"
    drawn: int = 0

    def __post_init__(self) -> None:
        check_name("rule", self.rule, RULES)
        if self.iterations is not None and self.rule != "paper":
            raise UsageError(f"--iterations {self.iterations} is for --rule paper: no other fits a prior")

    @property
    def seed(self) -> int | None:
        return self.drawn if self.rule == "paper" else None

    @property
    def text(self) -> Callable[[Record], str] | None:
        return {"geojson": _geojson, "txt": _texts}.get(self.wording.form)

    def load(self) -> "Mapping":
        from dptools.devices import resolve_device
        from dptools.maps.readers import load_reader
        from dptools.stages.mapping import Mapping

        reader = load_reader(self.wording.reader, self.wording.language) if self.wording else None
        return Mapping(self, resolve_device(self.device), reader)


def _geojson(record: Record) -> str:
    from dptools.maps.formats import geojson

    return geojson(record["mapsext"]["words"], map=record["id"]) + "\n"


def _texts(record: Record) -> str:
    return "".join(f"{word['text']}\n" for word in record["mapsext"]["words"])
