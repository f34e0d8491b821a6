"""Lines of a file of their own, that a tool may have for each sample: what happened on the way to its result."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dptools.errors import DptoolsError, UsageError
from dptools.pipe.record import TRACE, Record, dump
from dptools.pipe.run import Emit, put
from dptools.pipe.sample import Sample


@contextmanager
def traced(emit: Emit, path: Path, key: str) -> Iterator[Emit]:
    """Take what the tool traced out of each record, and write it to a file: a line a point, with the sample's id.

    The file is replaced when the run is through. An output that is reused brings the trace that its image file holds.

    Args:
        key: the tool's own key in the record.

    Raises:
        DptoolsError: the file cannot be written.
    """
    with _replaced(path) as file:

        def emit_traced(sample: Sample) -> None:
            found = sample.record.get(key)
            if isinstance(found, dict) and TRACE in found and not sample.failed:
                put(file, _lines(sample.record, found[TRACE]))
                sample = sample.update(**{key: {name: found[name] for name in found if name != TRACE}})
            emit(sample)

        yield emit_traced


def points(path: Path) -> Iterator[Record]:
    """The lines of a trace.

    Raises:
        UsageError: the file cannot be read, or a line is no point of a trace.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _point(line, f"{path}: line {number}")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _point(line: bytes, where: str) -> Record:
    try:
        point = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: not valid JSON") from None
    if not isinstance(point, dict) or not isinstance(point.get("id"), str) or not _count(point.get("iteration")):
        raise UsageError(f"{where}: not a point of a trace, which has an id and an iteration")
    if not (point.get("label_rank") is None or _count(point["label_rank"])) or not isinstance(
        point.get("attack", ""), str
    ):
        raise UsageError(f"{where}: not a point of a trace, whose label_rank is a number and attack a name")
    return point


def _count(value: object) -> bool:
    """It is a number of something there is."""
    return type(value) is int and 0 < value < 10**9


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A new file in the place of an old one, once it is whole; what is no file, a pipe for instance, is written to."""
    try:
        if path.exists() and not path.is_file():
            file, new = path.open("wb"), None
        else:
            handle, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
            file = os.fdopen(handle, "wb")
    except OSError as error:
        raise DptoolsError(f"{path}: {error.strerror}") from error
    try:
        with file:
            yield file
        if new:
            os.chmod(new, 0o644)
            os.replace(new, path)
    finally:
        if new:
            Path(new).unlink(missing_ok=True)


def _lines(record: Record, points: list[Record]) -> bytes:
    known: Record = {name: record[name] for name in ("id", "source", "label") if name in record}
    attack = record.get("attack")
    made_by = {"attack": attack["name"]} if isinstance(attack, dict) and "name" in attack else {}
    return "".join(f"{dump({**known, **made_by, **point})}\n" for point in points).encode("ascii")
