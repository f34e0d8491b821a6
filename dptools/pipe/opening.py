"""Read a sample's image, and the record that the image file may hold."""

import errno
import hashlib
import io
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import BinaryIO

from dptools.errors import SampleError
from dptools.pipe.embedded import NOT_INHERITED, for_file
from dptools.pipe.image import decode, embedded_record
from dptools.pipe.parquet_file import read_row, split_row
from dptools.pipe.record import Record
from dptools.pipe.regular_file import open_regular
from dptools.pipe.sample import Sample
from dptools.pipe.shard_index import read_extent, read_member
from dptools.pipe.shard_names import split

MAX_FILE = 2**30
"""The largest accepted image file, in bytes: about four times the uncompressed size of the largest image."""

NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""The error numbers of the operating system that show that a path is not that of a file."""

CHUNK = 2**22
"""The number of bytes per read."""


def open_sample(sample: Sample, tool: str) -> Sample:
    """Return the sample with its pixels, the keys of the record in its file, and a new entry for ``stages``.

    Args:
        sample: A sample with a path or encoded image.
        tool: The name of the tool, for the entry.

    Raises:
        OSError: The file cannot be read.
        SampleError: The file does not hold a readable image, or another one than the record describes.
    """
    data = read_encoded(sample)
    image = decode(data)
    sha256 = hashlib.sha256(data).hexdigest()
    record = _merge(sample, image.record, sha256) if image.record else sample.record
    entry = {
        "tool": tool,
        "version": _version(),
        "params": {},
        "input_sha256": sha256,
        **({"notes": list(image.notes)} if image.notes else {}),
    }
    opened = replace(sample, record=record, pixels=image.pixels, info=image.info, entry=entry)
    return replace(opened, encoded=None, extent=None).without("cached")


def read_encoded(sample: Sample) -> bytes:
    """Return the bytes of a sample's image file.

    Raises:
        OSError: The file cannot be read.
        SampleError: It is not a regular file, or too large, or it was changed during the run.
    """
    if sample.encoded is not None:
        return sample.encoded
    return read_image(sample.path) if sample.extent is None else read_extent(sample.extent)


def open_encoded(sample: Sample) -> BinaryIO:
    """Return a sample's image file, open for reading.

    Raises:
        OSError: As :func:`read_encoded`.
        SampleError: As :func:`read_encoded`.
    """
    if sample.encoded is None and sample.extent is None:
        with suppress(OSError, ValueError):  # the path may name an image in a shard
            return open_regular(sample.path)
    return io.BytesIO(read_encoded(sample))


def read_image(path: str) -> bytes:
    """Return the bytes of an image file, or of an image in a shard or a Parquet file, such as ``a.tar#b.png``.

    Raises:
        OSError: The file cannot be read.
        SampleError: It is not a regular file, or too large.
    """
    if path == "-":
        raise SampleError("FileNotFoundError", "the image came through standard input and has no file")
    try:
        file = open_regular(path)
    except OSError as error:
        if error.errno in NO_SUCH_FILE and (parts := split(path)):
            return read_member(*parts)
        if error.errno in NO_SUCH_FILE and (row := split_row(path)):
            return read_row(*row)
        raise
    except ValueError as error:  # the name contains NUL or half of a surrogate pair
        raise SampleError("BadPath", str(error)) from None
    with file:
        return read_all(file)


def read_all(stream: BinaryIO, head: bytes = b"") -> bytes:
    """Return the content of a stream.

    Args:
        stream: The stream to read to its end.
        head: Bytes that were already read from the stream.

    Raises:
        OSError: The stream cannot be read.
        SampleError: The content is longer than MAX_FILE.
    """
    chunks, size = [head], len(head)
    while chunk := stream.read(min(CHUNK, MAX_FILE + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
    if size > MAX_FILE:
        raise SampleError("TooLarge", f"larger than {MAX_FILE:,} bytes")
    return b"".join(chunks)


def embedded_id(data: bytes) -> str | None:
    """Return the id in the record that an image file holds; None if there is no record."""
    try:
        record = embedded_record(data)
    except SampleError:
        return None
    return str(record["id"]) if record else None


@cache
def _version() -> str:
    """Return the version of dptools, cached because it is read from a file."""
    return version("deep-protection")


def _merge(sample: Sample, embedded: Record, sha256: str) -> Record:
    """Return the sample's record, completed with keys of the embedded record.

    ``source`` is taken from the embedded record. If the sample's record has ``stages``, the embedded one is ignored.
    """
    if "stages" in sample.record:
        _check_same_result(sample.record, embedded, sha256)
        return sample.record
    embedded = {key: value for key, value in embedded.items() if key not in NOT_INHERITED}
    return {**embedded, **sample.record, "source": embedded.get("source", sample.record["source"])}


def _check_same_result(record: Record, embedded: Record, sha256: str) -> None:
    """Refuse a file that a tool of dptools has written again, with other settings, since the record was written.

    Changes by other programs are accepted.
    """
    if not embedded.get("stages") or any(entry.get("sha256") == sha256 for entry in record["stages"]):
        return
    last = _result(embedded["stages"][-1])
    if last not in map(_result, for_file(record)["stages"]):
        reason = f"{last['tool']} has replaced this file, with other settings, since its record was written"
        raise SampleError("ReplacedFile", f"{reason}: give each run its own -o")


def _result(entry: Record) -> Record:
    return {key: entry.get(key) for key in ("tool", "params", "seed", "input_sha256")}
