"""dp-mapsext: the text of a map as a mask, and its words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.errors import UsageError, check_name
from dptools.maps.names import RULES
from dptools.pipe.record import Record
from dptools.pipe.stage import ToolOptions
from dptools.tools.mapsext.ocr_options import OcrOptions

if TYPE_CHECKING:
    from dptools.tools.mapsext.processor import MapTextExtractor


@dataclass(frozen=True)
class MapsextOptions(ToolOptions):
    """Options of dp-mapsext."""

    tool = "dp-mapsext"
    key = "mapsext"

    rule: str = "letters"
    iterations: int | None = None
    wording: OcrOptions = field(default_factory=OcrOptions)
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
    def directories(self) -> tuple[Path, ...]:
        return (self.wording.overlay,) if self.wording.overlay and not self.wording.one_file else ()

    @property
    def for_one(self) -> str | None:
        return f"--overlay {self.wording.overlay}" if self.wording.one_file else None

    @property
    def text(self) -> Callable[[Record], str] | None:
        texts: dict[str, Callable[[Record], str]] = {"geojson": _geojson, "csv": _Rows(), "txt": _texts}
        return texts.get(self.wording.form)

    def load(self) -> "MapTextExtractor":
        from dptools.devices import resolve_device
        from dptools.tools.mapsext.processor import MapTextExtractor

        return MapTextExtractor(self.rule, self.iterations, self.wording, resolve_device(self.device), self.drawn)


def _geojson(record: Record) -> str:
    from dptools.maps.formats import geojson

    return geojson(record["mapsext"]["words"], map=record["id"]) + "\n"


class _Rows:
    """What a spreadsheet reads: a head before the first map's words."""

    begun = False

    def __call__(self, record: Record) -> str:
        from dptools.maps.formats import COLUMNS, rows

        head = "" if self.begun else ",".join(COLUMNS) + "\n"
        self.begun = True
        return head + rows(record["mapsext"]["words"], record["id"])


def _texts(record: Record) -> str:
    return "".join(f"{word['text']}\n" for word in record["mapsext"]["words"])
