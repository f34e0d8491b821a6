"""The one loop that runs every image tool."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dptools.errors import SampleError, SetupError
from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.record import Record, dump
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target
from dptools.pipe.stage import Engine
from dptools.texts import printable

Emit = Callable[[Sample], None]
"""Puts one finished sample out: a line, or an image."""


def run(
    stage: CachedFileStage, samples: Iterable[Sample], engine: Engine, emit: Emit, report: Callable[[str], None]
) -> int:
    """Run a stage over samples and put out each as soon as it is finished.

    Args:
        report: told of each new failure, in one line.

    Returns:
        The exit status: 0, or 1 when some record failed.
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
    """A failed sample's one line for people: the file and the reason."""
    where = sample.record.get("path") or ""
    message = str(sample.record["error"]["message"])
    return printable(f"{where}: {message}" if where else message)


def emit_lines(stream: BinaryIO) -> Emit:
    """Put out records, each a flushed line."""

    def emit(sample: Sample) -> None:
        put(stream, dump(sample.record).encode("ascii") + b"\n")

    return emit


def emit_text(stream: BinaryIO, text: Callable[[Record], str]) -> Emit:
    """Put out what is said of records; of failed ones nothing."""

    def emit(sample: Sample) -> None:
        if not sample.finished:
            put(stream, text(sample.record).encode("utf-8", "replace"))

    return emit


def emit_image(stream: BinaryIO) -> Emit:
    """Put out the one image; a failed one puts out nothing."""

    def emit(sample: Sample) -> None:
        if sample.encoded is not None and not sample.failed:
            put(stream, sample.encoded)

    return emit


def put(stream: BinaryIO, data: bytes) -> None:
    """Write and flush.

    Raises:
        SetupError: it cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SetupError(f"write error: {error.strerror}") from error


def _checked(stage: CachedFileStage, samples: Iterable[Sample]) -> Iterator[Sample]:
    """The samples, of which two that would be written to one file are told apart before either is.

    What is remembered of each sample for that, one number, is all that grows with the stream.
    """
    taken: set[int] = set()
    for sample in samples:
        if sample.failed:
            yield _blamed(sample, stage.tool)
        elif stage.out is not None and stage.stage.makes_images and not sample.finished:
            yield from attempt(partial(_unique, out=stage.out, taken=taken), sample, stage.tool)
        else:
            yield sample


def _unique(sample: Sample, out: Path, taken: set[int]) -> list[Sample]:
    path = target(out, sample.id)
    place = hash(os.path.join(os.path.realpath(path.parent), path.name))
    if place in taken:
        raise SampleError("SameOutput", f"its output {path} is that of an earlier input")
    taken.add(place)
    return [sample]


def _blamed(sample: Sample, tool: str) -> Sample:
    """An error of the source is the tool's; one that came down the pipe was reported by its own tool."""
    error = sample.record["error"]
    return sample if error["stage"] else replace(sample.update(error={**error, "stage": tool}), reported=False)
