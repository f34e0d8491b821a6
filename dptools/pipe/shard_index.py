"""Read single members of a tar file by their names."""

import os
import threading
import weakref
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO

from dptools.errors import SampleError
from dptools.pipe.forward_file import GZIP, ZSTD
from dptools.pipe.regular_file import OPEN_FILES, open_regular
from dptools.pipe.sample import Extent
from dptools.pipe.shard_names import COMPRESSED, member_name
from dptools.pipe.shard_stream import MAX_MEMBER, members
from dptools.pipe.walk import SUFFIXES


class ShardIndex:
    """Finds the images in an uncompressed tar file.

    The file is scanned only as far as necessary, so reading members in their order costs one pass. The index takes
    about 250 bytes for each member. All methods are thread-safe.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Start at the beginning of a file, which is closed with the index."""
        weakref.finalize(self, file.close)
        self._file = file
        self._lock = threading.Lock()
        self._found: dict[str, tuple[int, int]] = {}
        self._rest = _scan(file)

    def names(self) -> Iterator[str]:
        """Return the names of all images."""
        with self._lock:
            for name, place in self._rest:
                self._found.setdefault(name, place)  # as in a stream, the first of several members counts
            return iter(self._found)

    def read(self, name: str) -> bytes | None:
        """Return the content of an image; None if there is none that is complete.

        Raises:
            OSError: The file cannot be read.
            SampleError: The member is too large.
        """
        with self._lock:
            place = self._found.get(member_name(name))
            while place is None and (found := next(self._rest, None)):
                self._found.setdefault(*found)
                place = self._found.get(member_name(name))
        if place is None:
            return None
        offset, size = place
        if size > MAX_MEMBER:
            raise SampleError("TooLarge", f"the member has {size:,} bytes, more than {MAX_MEMBER:,}")
        data = os.pread(self._file.fileno(), size, offset)
        return data if len(data) == size else None


def read_member(shard: str, name: str) -> bytes:
    """Return the content of a member of a shard.

    Raises:
        OSError: The shard cannot be read.
        SampleError: The shard is compressed, came through standard input, or has no such member.
    """
    if shard == "-":
        raise SampleError("FileNotFoundError", "the shard came through standard input and has no file")
    if shard.lower().endswith(COMPRESSED):
        raise _compressed()
    status = os.stat(shard)
    data = _index(os.path.realpath(shard), status.st_ino, status.st_size, status.st_mtime_ns).read(name)
    if data is None:
        raise SampleError("FileNotFoundError", "the shard has no such member")
    return data


def read_extent(extent: Extent) -> bytes:
    """Return the content of a member whose place is known.

    Raises:
        OSError: The shard cannot be read.
        SampleError: The shard was changed after the place was found.
    """
    with open(extent.path, "rb", buffering=0) as file:
        data = os.pread(file.fileno(), extent.size, extent.offset)
        if os.fstat(file.fileno()).st_mtime_ns != extent.modified or len(data) != extent.size:
            raise SampleError("ChangedShard", "its shard was changed during the run")
    return data


def _scan(file: BinaryIO) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the name, the offset and the size of each image, up to the first damage."""
    try:
        for member in members(file):
            info = member.info
            if info.isreg() and not info.issparse() and info.name.lower().endswith(SUFFIXES):
                yield member_name(info.name), (info.offset_data, info.size)
    except SampleError:
        return


@lru_cache(maxsize=OPEN_FILES)
def _index(shard: str, *_: int) -> ShardIndex:
    """Return the index of a shard. The other arguments change if the file does.

    An index that is removed from the cache closes its file.
    """
    file = open_regular(shard)
    if os.pread(file.fileno(), 4, 0).startswith((GZIP, ZSTD)):
        file.close()
        raise _compressed()
    return ShardIndex(file)


def _compressed() -> SampleError:
    return SampleError("CompressedShard", "its shard is compressed: decompress it first, or use the shard as the input")
