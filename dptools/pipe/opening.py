"""From a sample's path to its pixels, and to what its file knows of it."""

import errno
import hashlib
import os
import stat
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any, BinaryIO

from dptools.errors import SampleError
from dptools.pipe.image import decode
from dptools.pipe.record import TRACE, Record
from dptools.pipe.sample import Sample

MAX_FILE = 2**30
"""Bytes of the largest file that is read: an image of the most pixels that are accepted has a quarter of it."""


PIECE = 2**22
"""Bytes that are asked for at once."""

PNG = b"\x89PNG"


def open_sample(sample: Sample, tool: str) -> Sample:
    """The sample with its pixels, and an entry begun for the tool that will work on it.

    Raises:
        OSError: its file cannot be read.
        SampleError: what the file holds is no image that can be.
    """
    data = sample.encoded if sample.encoded is not None else read_image(sample.path)
    image = decode(data)
    record = _merged(sample, image.record) if image.record else sample.record
    record = {key: _untraced(value) for key, value in record.items() if key != "cached"}
    entry = {
        "tool": tool,
        "version": _version(),
        "params": {},
        "input_sha256": hashlib.sha256(data).hexdigest(),
        **({"notes": list(image.notes)} if image.notes else {}),
    }
    return replace(sample, record=record, pixels=image.pixels, encoded=None, entry=entry)


def _untraced(value: Any) -> Any:
    """What a tool told, without its trace, which stays in the file and goes no further."""
    return {name: told for name, told in value.items() if name != TRACE} if isinstance(value, dict) else value


@cache
def _version() -> str:
    """Of dptools: looked up once a process, since it is read from a file."""
    return version("deep-protection")


def read_image(path: str) -> bytes:
    """An image file's bytes.

    Raises:
        OSError: it cannot be read.
        SampleError: it is none, or too large.
    """
    if path == "-":
        raise SampleError("FileNotFoundError", "the image came through standard input and has no file")
    try:
        # Not to be held up by a pipe without a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the name, or half of a surrogate pair
        raise SampleError("BadPath", str(error)) from None
    with open(handle, "rb") as file:
        _check_file(os.fstat(handle).st_mode)
        return read_all(file)


def read_all(stream: BinaryIO, head: bytes = b"") -> bytes:
    """The rest of a stream, behind what was read of it already.

    Raises:
        OSError: it cannot be read.
        SampleError: it is too large.
    """
    pieces, size = [head], len(head)
    while piece := stream.read(min(PIECE, MAX_FILE + 1 - size)):
        pieces.append(piece)
        size += len(piece)
    if size > MAX_FILE:
        raise SampleError("TooLarge", f"larger than {MAX_FILE:,} bytes")
    return b"".join(pieces)


def name_inside(data: bytes) -> str | None:
    """The id in the record that an image carries, if it does."""
    try:
        record = decode(data).record if data.startswith(PNG) else None
    except SampleError:
        return None
    return str(record["id"]) if record else None


def _check_file(mode: int) -> None:
    """
    Raises:
        IsADirectoryError: it is one.
        SampleError: it is a pipe, a socket or a device, in which reading might wait for ever.
    """
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise SampleError("BadPath", "not a file; a pipe is read where it is an operand")


def _merged(sample: Sample, inside: Record) -> Record:
    """A file's own record serves where none came with it: one out of a record stream has its ``stages`` already."""
    if "stages" in sample.record:
        return sample.record
    inside = {key: value for key, value in inside.items() if key not in ("error", "skipped", "path")}
    return {**inside, **sample.record, "source": inside.get("source", sample.record["source"])}
