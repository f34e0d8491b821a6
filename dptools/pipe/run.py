"""The one loop that runs every image tool, and the emitters that write its results."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from dptools.errors import SampleError, SetupError
from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.file_formats import FileInfo
from dptools.pipe.record import Record, dump
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target
from dptools.pipe.stage import Engine
from dptools.texts import encoded, printable

Emit = Callable[[Sample], None]
"""Writes one finished sample to standard output, as a record, a text or an image."""

EMPTY = "no images: the input is empty"
"""The note of a run without input, which is no error: perhaps an earlier tool of the pipeline has failed."""


def run(
    stage: CachedFileStage, samples: Iterable[Sample], engine: Engine, emit: Emit, report: Callable[[str], None]
) -> int:
    """Run a stage over samples, and emit each one as soon as it is finished.

    Args:
        stage: What to run.
        samples: The input.
        engine: Where to run it.
        emit: Writes each finished sample, failed ones included.
        report: Shows a message for each failure that has not been shown yet, and a note if there are no samples.

    Returns:
        The exit status: 1 if a record failed, else 0.

    Raises:
        DptoolsError: An error concerns the whole run.
    """
    status, empty = 0, True
    for sample in engine(stage, _checked(stage, samples)):
        empty = False
        if sample.failed:
            status = 1
            if not sample.reported:
                report(complaint(sample))
        emit(sample)
    if empty:
        report(EMPTY)
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
            put(stream, encoded(text(sample.record)))

    return emit


def emit_image(stream: IO[bytes]) -> Emit:
    """Return an emitter that writes the encoded image of each sample, and nothing for failed samples."""

    def emit(sample: Sample) -> None:
        if sample.encoded is not None:
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

    The hashes are the only data that grows with the number of samples.
    """
    hashes: dict[int, int] = {}
    for sample in samples:
        if sample.failed:
            yield _with_stage(sample, stage.tool)
        elif sample.finished:
            yield sample
        else:
            yield from attempt(partial(_check_unique, stage=stage, hashes=hashes), sample, stage.tool)


def _check_unique(sample: Sample, stage: CachedFileStage, hashes: dict[int, int]) -> list[Sample]:
    """Return the sample, and add the hash of its path to ``hashes``, by the hash of each output."""
    source = hash(os.path.abspath(sample.path))
    paths = {hash(os.path.join(os.path.realpath(path.parent), path.name)): path for path in _paths(stage, sample)}
    for path_hash in paths.keys() & hashes:
        if hashes[path_hash] == source:
            raise SampleError("SameOutput", f"this image is named twice; its output is {paths[path_hash]}")
        raise SampleError("SameOutput", f"its output {paths[path_hash]} is that of an earlier input: rename one")
    hashes.update(dict.fromkeys(paths, source))
    return [sample]


def _paths(stage: CachedFileStage, sample: Sample) -> list[Path]:
    """Return a file in each directory or shard that the stage writes to for a sample.

    One file in each is enough to detect equal names, because all names of files are derived from ids in the same way.
    """
    output = stage.output_path(sample.id, _info(stage, sample))
    extras = [target(extra, sample.id, "*.png") for extra in stage.options.extra_directories]  # such as a@words.png
    return extras + ([output] if output else [])


def _info(stage: CachedFileStage, sample: Sample) -> FileInfo | None:
    """Return the format of the input if the names of outputs depend on it."""
    if stage.out is None or stage.file.format.name != "same":
        return None
    from dptools.pipe.image import kind_of_file  # these modules import NumPy
    from dptools.pipe.opening import open_encoded

    with open_encoded(sample) as file:
        return kind_of_file(file)


def _with_stage(sample: Sample, tool: str) -> Sample:
    """Return a failed sample whose error names a tool: the given one, unless the error names an earlier tool.

    The source does not know which tool reads it, so its errors name no tool. If an error names an earlier tool, that
    tool has already shown it.
    """
    error = sample.record["error"]
    return sample if error["stage"] else sample.update(error={**error, "stage": tool})
