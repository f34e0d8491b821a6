"""Lines of a file of their own, that a tool may have for each sample: what happened on the way to its result."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dptools.errors import DptoolsError
from dptools.pipe.record import Record, dump
from dptools.pipe.run import Emit, put
from dptools.pipe.sample import Sample

TRACE = "trace"
"""The key, below the tool's own, under which a record carries its lines out of the worker, and in the image file."""


@contextmanager
def traced(emit: Emit, path: Path, key: str) -> Iterator[Emit]:
    """Take what the tool traced out of each record, and write it to a file: a line a point, with the sample's id.

    The file is written anew by every run. An output that is reused brings the trace that its image file holds.

    Args:
        key: the tool's own key in the record.

    Raises:
        DptoolsError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:

            def emit_traced(sample: Sample) -> None:
                found = sample.record.get(key)
                if isinstance(found, dict) and TRACE in found and not sample.failed:
                    put(file, _lines(sample.record, found[TRACE]))
                    sample = sample.update(**{key: {name: found[name] for name in found if name != TRACE}})
                emit(sample)

            yield emit_traced
    except OSError as error:
        if error.filename != str(path):
            raise
        raise DptoolsError(f"{path}: {error.strerror}") from error


def _lines(record: Record, points: list[Record]) -> bytes:
    known: Record = {name: record[name] for name in ("id", "source", "label") if name in record}
    attack = record.get("attack")
    made_by = {"attack": attack["name"]} if isinstance(attack, dict) and "name" in attack else {}
    return "".join(f"{dump({**known, **made_by, **point})}\n" for point in points).encode("ascii")
