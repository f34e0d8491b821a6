"""The one loop that runs every image tool, and the emitters that write its results."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dptools.errors import SampleError, SetupError
from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.formats import SUFFIXES
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


def emit_lines(stream: BinaryIO) -> Emit:
    """Return an emitter that writes each record as a line of JSON."""

    def emit(sample: Sample) -> None:
        put(stream, dump(sample.record).encode("ascii") + b"\n")

    return emit


def emit_text(stream: BinaryIO, text: Callable[[Record], str]) -> Emit:
    """Return an emitter that writes a text for each record, and nothing for failed or skipped ones."""

    def emit(sample: Sample) -> None:
        if not sample.finished:
            put(stream, text(sample.record).encode("utf-8", "replace"))

    return emit


def emit_image(stream: BinaryIO) -> Emit:
    """Return an emitter that writes the encoded image of each sample, and nothing for failed samples."""

    def emit(sample: Sample) -> None:
        if sample.encoded is not None and not sample.failed:
            put(stream, sample.encoded)

    return emit


def put(stream: BinaryIO, data: bytes) -> None:
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
    directory = _directory_of_outputs(stage)
    for sample in samples:
        if sample.failed:
            yield _with_stage(sample, stage.tool)
        elif directory is not None and not sample.finished:
            check = partial(_check_unique, directory=directory, hashes=hashes, suffixes=_suffixes(stage))
            yield from attempt(check, sample, stage.tool)
        else:
            yield sample


def _directory_of_outputs(stage: CachedFileStage) -> Path | None:
    """Return one of the directories that the stage writes into; None if there are none.

    One directory is enough to detect equal names, because all names of files are derived from ids in the same way.
    """
    out = stage.out if stage.options.makes_images else None
    return out or next(iter(stage.options.extra_directories), None)


def _suffixes(stage: CachedFileStage) -> tuple[str, ...]:
    """Return the suffix of new files, and the suffixes that outputs share with their inputs.

    With the format ``same``, the content of a file decides, which is not known here. Files whose names differ only in
    the suffix of a format usually have different outputs then; if not, the second one fails when it is written.
    """
    form = stage.file.format.name
    if not stage.options.makes_images or form not in SUFFIXES:
        return (".png", *(sum(SUFFIXES.values(), ()) if form == "same" and not stage.options.extra_directories else ()))
    return SUFFIXES[form][:1]


def _check_unique(sample: Sample, directory: Path, hashes: set[int], suffixes: tuple[str, ...]) -> list[Sample]:
    path = target(directory, sample.id, suffixes[0], suffixes[1:])
    path_hash = hash(os.path.join(os.path.realpath(path.parent), path.name))
    if path_hash in hashes:
        raise SampleError("SameOutput", f"its output {path} is that of an earlier input")
    hashes.add(path_hash)
    return [sample]


def _with_stage(sample: Sample, tool: str) -> Sample:
    """Return a failed sample whose error names a tool: the given one, unless the error names an earlier tool.

    The source does not know which tool reads it, so its errors name no tool. If an error names an earlier tool, that
    tool has already shown it.
    """
    error = sample.record["error"]
    return sample if error["stage"] else replace(sample.update(error={**error, "stage": tool}), reported=False)
