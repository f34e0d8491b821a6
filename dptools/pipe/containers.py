"""Read files that hold many images: shards and Parquet files."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from dptools.pipe.parquet_file import is_parquet
from dptools.pipe.parquet_source import read_parquet, spooled
from dptools.pipe.sample import Sample
from dptools.pipe.shard_names import is_shard
from dptools.pipe.shard_source import read_shard
from dptools.pipe.sniff import InputFormat

CONTAINERS = (InputFormat.TAR, InputFormat.PARQUET)
"""The formats of streams that hold many images."""


def is_container(path: str | Path) -> bool:
    """Return whether a path has the suffix of a shard or of a Parquet file."""
    return is_shard(path) or is_parquet(path)


def is_container_file(path: str) -> bool:
    """Return whether a path is that of an existing shard or Parquet file."""
    return is_container(path) and os.path.isfile(path)


def read_file(path: str, name: str) -> Iterator[Sample]:
    """Yield the samples of a file.

    Args:
        path: The path of the file.
        name: The beginning of their ids, before ``#``.

    Raises:
        OSError: The file cannot be opened.
        SetupError: A package is missing.
    """
    read = read_parquet if is_parquet(path) else read_shard
    with open(path, "rb") as file:
        yield from read(file, path, f"{name}#")


def read_stream(stream: BinaryIO, path: str, form: InputFormat, head: bytes) -> Iterator[Sample]:
    """Yield the samples in a stream.

    Args:
        stream: The stream.
        path: Its path; ``-`` for standard input.
        form: One of CONTAINERS.
        head: Bytes that were already read from the stream.

    Raises:
        OSError: The stream cannot be read, or there is no room for a temporary file.
        SetupError: A package is missing.
    """
    if not is_container(path):  # A pipe: its name says nothing, and may differ between runs.
        path = "-"
    prefix = "" if path == "-" else f"{PurePath(path).name}#"
    if form is InputFormat.TAR:
        yield from read_shard(stream, path, prefix, head)
    else:
        with spooled(stream, head) as file:
            if file.seek(0, os.SEEK_END):  # An empty stream holds no images, as with the other formats.
                yield from read_parquet(file, path, prefix)
