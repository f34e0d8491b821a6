"""The one loop that runs every image tool, and the emitters that write its results."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import IO

from dptools.errors import SampleError, SetupError
from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.file_formats import KINDS, FileInfo
from dptools.pipe.record import Record, dump
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target
from dptools.pipe.stage import Engine
from dptools.texts import printable

Emit = Callable[[Sample], None]
"""Writes one finished sample to standard output, as a record, a text or an image."""


def run(
    stage: CachedFileStage, samples: Iterable[Sample], engine: Engine, emit: Emit, report: Callable[[str], None]
) -> int:
    """Run a stage over samples, and emit each one as soon as it is finished.

    Args:
        stage: What to run.
        samples: The input.
        engine: Where to run it.
        emit: Writes each finished sample, failed ones included.
        report: Shows a message for each failure that has not been shown yet.

    Returns:
        The exit status: 1 if a record failed, else 0.

    Raises:
        DptoolsError: An error concerns the whole run.
    """
    status = 0
    for sample in engine(stage, _checked(stage, samples)):
        if sample.failed:
            status = 1
            if not sample.reported:
                report(complaint(sample))
        emit(sample)
    return status


def complaint(sample: Sample) -> str:
    """Return the message for a failed sample, on one line: the path of the image and the reason."""
    path = sample.record.get("path") or ""
    message = str(sample.record["error"]["message"])
    return printable(f"{path}: {message}" if path else message)


def emit_lines(stream: IO[bytes]) -> Emit:
    """Return an emitter that writes each record as a line of JSON."""

    def emit(sample: Sample) -> None:
        put(stream, dump(sample.record).encode("ascii") + b"\n")

    return emit


def emit_text(stream: IO[bytes], text: Callable[[Record], str]) -> Emit:
    """Return an emitter that writes a text for each record, and nothing for failed or skipped ones."""

    def emit(sample: Sample) -> None:
        if not sample.finished:
            put(stream, text(sample.record).encode("utf-8", "replace"))

    return emit


def emit_image(stream: IO[bytes]) -> Emit:
    """Return an emitter that writes the encoded image of each sample, and nothing for failed samples."""

    def emit(sample: Sample) -> None:
        if sample.encoded is not None and not sample.failed:
            put(stream, sample.encoded)

    return emit


def put(stream: IO[bytes], data: bytes) -> None:
    """Write data to a stream, and flush it.

    Raises:
        SetupError: The data cannot be written.
        BrokenPipeError: The reader has closed the pipe.
    """
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SetupError(f"write error: {error.strerror}") from error


def _checked(stage: CachedFileStage, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the samples. A sample that would overwrite the output of an earlier one becomes an error record.

    The set of hashes is the only data that grows with the number of samples.
    """
    hashes: set[int] = set()
    for sample in samples:
        if sample.failed:
            yield _with_stage(sample, stage.tool)
        elif sample.finished:
            yield sample
        else:
            yield from attempt(partial(_check_unique, stage=stage, hashes=hashes), sample, stage.tool)


def _check_unique(sample: Sample, stage: CachedFileStage, hashes: set[int]) -> list[Sample]:
    if (path := _expected_path(stage, sample.id)) is None:
        return [sample]
    path_hash = hash(os.path.join(os.path.realpath(path.parent), path.name))
    if path_hash in hashes:
        raise SampleError("SameOutput", f"its output {path} is that of an earlier input")
    hashes.add(path_hash)
    return [sample]


def _expected_path(stage: CachedFileStage, sample_id: str) -> Path | None:
    """Return a file that the stage writes for a sample; None if it writes none.

    One file is enough to detect equal names, because all names of files are derived from ids in the same way. For the
    format ``same``, the suffix of the input stands for its content. If it is wrong, equal names are noticed when the
    second file is written.
    """
    out = stage.out if stage.options.makes_images else None
    if extra := next(iter(stage.options.extra_directories), None):
        return target(out or extra, sample_id)
    kinds = (kind for kind, suffixes in KINDS.items() if PurePath(sample_id).suffix.lower() in suffixes)
    return stage.output_path(sample_id, FileInfo(next(kinds, "PNG")))


def _with_stage(sample: Sample, tool: str) -> Sample:
    """Return a failed sample whose error names a tool: the given one, unless the error names an earlier tool.

    The source does not know which tool reads it, so its errors name no tool. If an error names an earlier tool, that
    tool has already shown it.
    """
    error = sample.record["error"]
    return sample if error["stage"] else replace(sample.update(error={**error, "stage": tool}), reported=False)
