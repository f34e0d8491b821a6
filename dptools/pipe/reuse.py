"""Output that is there already."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.record import Record


@dataclass(frozen=True)
class Found:
    """A file at the place of an output.

    Attributes:
        record: what it holds; None of a file that dptools did not make.
    """

    record: Record | None
    sha256: str


def look(path: Path, source: str) -> Found | None:
    """What is there; None if that is nothing, or damaged.

    Args:
        source: the input.

    Raises:
        OSError: it cannot be read.
        SampleError: it is the input itself.
    """
    from dptools.pipe.image import decode

    if not path.is_file():
        return None
    if os.path.exists(source) and path.samefile(source):
        raise SampleError("WriteError", "the output would overwrite its input; name another directory with -o")
    data = path.read_bytes()
    try:
        return Found(decode(data).record, hashlib.sha256(data).hexdigest())
    except SampleError:
        return None
