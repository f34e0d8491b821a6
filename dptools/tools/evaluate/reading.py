"""dp-eval at work: files of records in, a summary out, and figures and a report of it into files."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from dptools.errors import SampleError, SetupError, UsageError
from dptools.evaluation.gating import THRESHOLD, Gating
from dptools.evaluation.keys import Record
from dptools.evaluation.learning_curves import follow
from dptools.evaluation.paired import Comparison, ranks
from dptools.evaluation.summary import Summary
from dptools.pipe.run import complaint
from dptools.pipe.sink import write
from dptools.pipe.sniff import InputFormat, sniff
from dptools.pipe.source import read_jsonl
from dptools.tools.evaluate.trace_file import read_trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dptools.evaluation.gallery import Drawing


class Passing(Protocol):
    """Looks at records that pass."""

    def passing(self, records: Iterable[Record], /) -> Iterator[Record]:
        """The records as they are."""


@dataclass(frozen=True)
class Evaluating:
    """What dp-eval reads besides the records.

    Attributes:
        by: what the groups have in common.
        traces: files of dp-denoise's --trace.
        compare: records of the same images, restored in another way.
        attacked: records of the same images before restoration, for figures.
        report: is told of a line that is no record.
        maps: scores the records of maps.
        gate: the suspicion from which on a gate would restore.
    """

    by: str
    traces: tuple[Path, ...]
    compare: Path | None
    attacked: Path | None
    report: Callable[[str], None]
    maps: "Passing | None" = None
    gate: float = THRESHOLD

    def __call__(self, files: Iterable[str]) -> Summary:
        """Read all.

        Raises:
            UsageError: a file cannot be read, or is an image, or a trace is none.
        """
        files = list(files)
        _check_stdin([*files, *map(str, filter(None, (self.compare, self.attacked)))])
        before = {str(record["id"]): record for record in self._records(self.attacked)}
        comparison = Comparison(ranks(self._records(self.compare))) if self.compare else None
        courses = follow(point for trace in self.traces for point in read_trace(trace))
        summary = Summary(self.by, attacked=before, comparison=comparison, courses=courses, gating=Gating(self.gate))
        for file in files:
            records = self._read(file)
            summary.read(self.maps.passing(records) if self.maps else records)
        return summary

    def _records(self, path: Path | None) -> Iterator[Record]:
        return self._read(str(path)) if path else iter(())

    def _read(self, name: str) -> Iterator[Record]:
        with _open(name) as stream:
            form, head = sniff(stream)
            if form is InputFormat.IMAGE:
                raise UsageError(f"{name}: an image, where records are wanted: dp-classify makes them")
            for sample in read_jsonl(stream, head, name="stdin" if name == "-" else name):
                if sample.failed and not sample.reported:
                    self.report(complaint(sample))
                yield sample.record


def write_figures(drawings: "Iterable[Drawing]", directory: Path) -> None:
    """Each figure as PNG and SVG.

    Raises:
        SetupError: a file cannot be written.
    """
    from dptools.evaluation.gallery import render

    for drawing in drawings:
        for form in ("png", "svg"):
            data = io.BytesIO()
            render(drawing, data, form)
            write_file(directory / f"{drawing.name}.{form}", data.getvalue())


def write_file(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all; what is no file, a pipe for instance, is written to.

    Raises:
        SetupError: it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            path = path.resolve() if path.is_symlink() else path  # what it points to is replaced
            write(path, data, path.parent)
    except SampleError as error:
        raise SetupError(error.message) from None
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None


def _check_stdin(files: list[str]) -> None:
    if files.count("-") > 1:
        raise UsageError("standard input, -, is named twice, and can be read once")


@lru_cache(maxsize=8)
def open_image(path: str) -> "NDArray[Any] | None":
    """The pixels of an image file; None if it cannot be read."""
    from dptools.pipe.image import decode

    try:
        return decode(Path(path).read_bytes()).pixels if os.path.isfile(path) else None
    except (OSError, ValueError, SampleError):
        return None


def _open(name: str) -> BinaryIO:
    try:
        return sys.stdin.buffer if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
