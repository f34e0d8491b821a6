"""Read the files of records that dp-eval summarises."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from dptools.errors import UsageError
from dptools.evaluation.certified import RADII, CertificateEvaluation
from dptools.evaluation.csv_records import Header, find_header, read_csv
from dptools.evaluation.gating import THRESHOLD, GateEvaluation
from dptools.evaluation.keys import Record
from dptools.evaluation.learning_curves import learning_curves
from dptools.evaluation.paired import Comparison
from dptools.evaluation.summary import Summary
from dptools.pipe.formats import mistaken_for_paths
from dptools.pipe.lines import lines
from dptools.pipe.record import MAX_LINE
from dptools.pipe.run import complaint
from dptools.pipe.sample import Sample
from dptools.pipe.sniff import BOM, InputFormat, sniff
from dptools.pipe.source import read_jsonl
from dptools.tools.evaluate.repeats import RepeatedRecords
from dptools.tools.evaluate.trace_file import read_trace

logger = logging.getLogger(__name__)


class RecordObserver(Protocol):
    """An object that examines a stream of records without changing it."""

    def observe(self, records: Iterable[Record], /) -> Iterator[Record]:
        """Yield the records unchanged and examine each of them."""


@dataclass(frozen=True)
class EvaluationInputs:
    """The inputs of dp-eval besides its operands.

    Attributes:
        by: The keys of the groups.
        report: A function that is called with a message for each line that is not a valid record.
        note: A function that is called with a message that does not change the exit status.
        traces: Trace files of dp-denoise.
        compare: Files with records of the same ids, purified in other ways.
        attacked: A file with records of the same ids before purification, for figures.
        map_scores: The object that scores the records of maps; None to score no maps.
        gate: The threshold of the gate: images with this suspicion or more are suspicious.
        radii: The radii of certified accuracy.
    """

    by: tuple[str, ...]
    report: Callable[[str], None]
    note: Callable[[str], None]
    traces: tuple[Path, ...] = ()
    compare: tuple[Path, ...] = ()
    attacked: Path | None = None
    map_scores: RecordObserver | None = None
    gate: float = THRESHOLD
    radii: tuple[float, ...] = RADII

    def summarise(self, files: Iterable[str]) -> Summary:
        """Return the summary of files of records, ``-`` for standard input.

        Raises:
            UsageError: A file cannot be read or is an image, or a line of a trace is invalid.
        """
        files = list(files)
        _check_stdin([*files, *(str(path) for path in (*self.compare, self.attacked) if path)])
        summary = Summary(
            self.by,
            attacked={str(record["id"]): record for record in self._optional(self.attacked)},
            comparisons=[Comparison.against(self._read(str(path))) for path in self.compare],
            curves=learning_curves(point for trace in self.traces for point in read_trace(trace)),
            gate=GateEvaluation(self.gate),
            certificates=CertificateEvaluation(self.radii),
        )
        repeats = RepeatedRecords()
        for file in files:
            records = repeats.observe(self._read(file))
            summary.read(self.map_scores.observe(records) if self.map_scores else records)
        if repeats.ids:
            self.note(f"{repeats}: n counts each record; the intervals take this into account")
        return summary

    def _optional(self, path: Path | None) -> Iterator[Record]:
        return self._read(str(path)) if path else iter(())

    def _read(self, name: str) -> Iterator[Record]:
        with _open(name) as stream:
            input_format, head = sniff(stream)
            if input_format is InputFormat.IMAGE:
                raise UsageError(f"{name}: this is an image, not a file of records: run dp-classify on it first")
            if input_format is InputFormat.TAR:
                raise UsageError(
                    f"{name}: a tar or compressed file, not a file of records: run dp-classify on it first"
                )
            if input_format is InputFormat.PATHS and (mistake := mistaken_for_paths(head)):
                raise UsageError(f"{name}: not a file of records: {mistake}")
            if input_format is InputFormat.PATHS and not head.endswith(b"\n"):
                head += stream.readline(MAX_LINE)
            header = find_header(_text(head), _title(name)) if input_format is InputFormat.PATHS else None
            samples = _csv(stream, header, name) if header else _jsonl(stream, head, name)
            empty = True
            for sample in samples:
                empty = False
                if sample.failed and not sample.reported:
                    self.report(complaint(sample))
                yield sample.record
            if empty:
                logger.warning("%s: no records", _title(name))


def _jsonl(stream: BinaryIO, head: bytes, name: str) -> Iterator[Sample]:
    return read_jsonl(stream, head, _title(name), needs_path=False)


def _csv(stream: BinaryIO, header: Header, name: str) -> Iterator[Sample]:
    text = (_text(line) for line in lines(stream, b"", b"\n"))
    for record in read_csv(header, text, "" if name == "-" else f"{name}: "):
        yield Sample(record, reported=bool(record.get("error", {}).get("stage")))


def _text(line: bytes) -> str:
    return line.removeprefix(BOM).decode("utf-8", "surrogateescape")


def _title(name: str) -> str:
    return "stdin" if name == "-" else name


def _check_stdin(files: list[str]) -> None:
    if files.count("-") > 1:
        raise UsageError("standard input (-) can be read only once: name it once")


def _open(name: str) -> BinaryIO:
    try:
        return sys.stdin.buffer if name == "-" else Path(name).open("rb")
    except IsADirectoryError:
        raise UsageError(f"{name}: this is a directory, not a file of records: dp-classify {name} | dp-eval") from None
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
