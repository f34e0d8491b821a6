"""Options of dp-mapsext, and its text formats for standard output."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.errors import UsageError, check_name
from dptools.maps.choices import MASK_METHODS
from dptools.pipe.record import Record
from dptools.pipe.stage import ToolOptions
from dptools.tools.mapsext.ocr_options import OcrOptions

if TYPE_CHECKING:
    from dptools.tools.mapsext.processor import MapTextExtractor


@dataclass(frozen=True)
class MapsextOptions(ToolOptions):
    """Options of dp-mapsext.

    Attributes:
        rule: Mask method, one of :data:`dptools.maps.MASK_METHODS`.
        iterations: Iterations of the fit of the method ``paper``; None for the default.
        ocr: How words are read.
        device: Device of the fit.
        run_seed: Seed of the run.

    Raises:
        UsageError: The mask method is unknown, or has no iterations.
    """

    tool = "dp-mapsext"
    key = "mapsext"

    rule: str = "letters"
    iterations: int | None = None
    ocr: OcrOptions = field(default_factory=OcrOptions)
    device: str = "auto"
    run_seed: int = 0

    def __post_init__(self) -> None:
        check_name("rule", self.rule, MASK_METHODS)
        if self.iterations is not None and self.rule != "paper":
            raise UsageError(f"--iterations {self.iterations} requires --rule paper: no other rule fits a network")

    @property
    def seed(self) -> int | None:
        return self.run_seed if self.rule == "paper" else None

    @property
    def extra_directories(self) -> tuple[Path, ...]:
        return (self.ocr.overlay_directory,) if self.ocr.overlay_directory else ()

    @property
    def single_image_reason(self) -> str | None:
        if self.ocr.output_format == "alto":
            return "--format alto writes one document, for one map: give one image"
        if self.ocr.overlay_file:
            return f"--overlay {self.ocr.overlay_file} is one file, for one image: name a directory"
        return None

    @property
    def text(self) -> Callable[[Record], str] | None:
        formatters: dict[str, Callable[[Record], str]] = {
            "geojson": _geojson,
            "alto": _alto,
            "csv": _Csv(),
            "txt": _text,
        }
        return formatters.get(self.ocr.output_format)

    @property
    def text_hint(self) -> str:
        return "for the words alone, --format txt, csv or geojson and no -o"

    def load(self) -> "MapTextExtractor":
        from dptools.devices import resolve_device
        from dptools.tools.mapsext.processor import MapTextExtractor

        return MapTextExtractor(self.rule, self.iterations, self.ocr, resolve_device(self.device), self.run_seed)


def _geojson(record: Record) -> str:
    from dptools.maps.formats import geojson

    result = record["mapsext"]
    return geojson(result["words"], result.get("georeference"), map=record["id"]) + "\n"


def _alto(record: Record) -> str:
    from dptools.maps.alto import alto

    result = record["mapsext"]
    return alto(result["words"], file_name=record["id"], width=result["width"], height=result["height"])


class _Csv:
    """Formats records as CSV rows, with the header before the first record."""

    has_header = False

    def __call__(self, record: Record) -> str:
        from dptools.maps.formats import CSV_COLUMNS, csv_rows

        header = "" if self.has_header else ",".join(CSV_COLUMNS) + "\n"
        self.has_header = True
        return header + csv_rows(record["mapsext"]["words"], record["id"])


def _text(record: Record) -> str:
    return "".join(f"{word['text']}\n" for word in record["mapsext"]["words"])
