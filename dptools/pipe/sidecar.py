"""Keep the trace of each output image in a sidecar file, so that a reused image still has its trace.

A tool may produce trace lines for each sample. It puts them into the record, as a list under ``record[key][TRACE]``.
The worker moves them to :attr:`Sample.trace` and, if the image is written into a directory, to a file beside it.
"""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from dptools.pipe.record import TRACE, Record, dump
from dptools.pipe.sample import Sample
from dptools.pipe.sink import check_name_length, place, temporary_file

SUFFIX = ".trace.jsonl"
"""The name of a sidecar is the name of its image with this suffix."""


def sidecar_path(image: Path) -> Path:
    """Return the path of an image's sidecar.

    Raises:
        SampleError: The name is too long.
    """
    path = image.with_name(image.name + SUFFIX)
    check_name_length(path.name)
    return path


def pop_trace(sample: Sample, key: str) -> tuple[Sample, list[Record]]:
    """Return the sample with the trace removed from its record, and the trace; empty if there is none.

    Args:
        sample: A sample that a tool has processed.
        key: The tool's own key in the record.
    """
    own = sample.record.get(key)
    if not isinstance(own, dict) or TRACE not in own:
        return sample, []
    return sample.update(**{key: {name: value for name, value in own.items() if name != TRACE}}), own[TRACE]


def trace_lines(record: Record, trace: Iterable[Record]) -> tuple[Record, ...]:
    """Return the trace with the ``id``, ``source`` and ``label`` of its sample added to each line.

    If an object in the record has a ``name``, as ``attack`` has, each line gets that name under the object's key.
    """
    context: Record = {name: record[name] for name in ("id", "source", "label") if name in record}
    for key, value in record.items():
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            context[key] = value["name"]
    return tuple({**context, **line, **context} for line in trace)


def dump_trace(trace: Iterable[Record]) -> bytes:
    """Return a trace as JSON Lines."""
    return "".join(f"{dump(line)}\n" for line in trace).encode("ascii")


def read_sidecar(path: Path) -> tuple[Record, ...] | None:
    """Return the trace in a sidecar; None if the file does not exist or is damaged.

    Raises:
        OSError: The file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        trace = tuple(json.loads(line) for line in path.read_bytes().splitlines())
    except (ValueError, RecursionError):
        return None
    return trace if all(isinstance(line, dict) for line in trace) else None


def write_output(
    path: Path, image: bytes, trace: Iterable[Record] | None, root: Path, check: Callable[[], None] | None = None
) -> None:
    """Write an image and its sidecar, each complete or not at all.

    The image is replaced while it has no sidecar. So no image has the sidecar of another one, even if the process is
    killed between two steps.

    Args:
        path: The path of the image.
        image: The image file.
        trace: The lines of the sidecar. None removes the sidecar of an older image.
        root: The directory that the files must lie in.
        check: Raises a SampleError if an existing image must be kept; None replaces it.

    Raises:
        SampleError: A file cannot be written, or a symbolic link leads out of the root.
    """
    sidecar = path.with_name(path.name + SUFFIX)
    with ExitStack() as opened:
        lines = None if trace is None else opened.enter_context(temporary_file(sidecar, dump_trace(trace), root))
        picture = opened.enter_context(temporary_file(path, image, root))
        if os.path.lexists(sidecar) and (lines or _is_sidecar(sidecar)):
            if check:
                check()
            sidecar.unlink()
        place(picture, path, check)
        if lines:
            place(lines, sidecar)


def _is_sidecar(path: Path) -> bool:
    """Return whether a file holds a trace, so that dptools has written it."""
    trace = read_sidecar(path)
    return trace is not None and all("id" in line for line in trace)
