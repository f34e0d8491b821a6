"""Collect the trace lines of all samples in one file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dptools.errors import SetupError
from dptools.pipe.run import Emit, put
from dptools.pipe.sample import Sample
from dptools.pipe.sidecar import dump_trace
from dptools.pipe.sink import umask


@contextmanager
def traced(emit: Emit, path: Path) -> Iterator[Emit]:
    """Yield an emitter that also writes the trace of each sample to a file, in the order of the samples.

    The file is replaced at the end of the run; a run that fails leaves the old file.

    Args:
        emit: The emitter that writes the samples.
        path: The file; a pipe or device is written to directly.

    Raises:
        SetupError: The file cannot be written.
    """
    with replaced(path) as file:

        def emit_traced(sample: Sample) -> None:
            if sample.trace:
                put(file, dump_trace(sample.trace))
            emit(sample)

        yield emit_traced


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces the path on success. A path that is no regular file is opened directly.

    Raises:
        SetupError: The file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            file, temporary = path.open("wb"), None
        else:
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
            file = os.fdopen(handle, "wb")
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error
    try:
        with file:
            yield file
        if temporary:
            os.chmod(temporary, 0o666 & ~umask())
            os.replace(temporary, path)
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
