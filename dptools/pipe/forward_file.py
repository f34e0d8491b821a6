"""A file that can only move forward, compressed or not, for :mod:`tarfile`.

Memory does not grow with the length of the file. A file that is made to do harm is limited by MAX_HEADER and MAX_RATIO.
"""

import gzip
import io
import os
from typing import BinaryIO, Protocol, cast

from dptools.errors import SampleError, SetupError

MAX_HEADER = 2**18
"""The longest header block that is read, in bytes. It holds a long name, for example."""

FREE_EXPANSION, MAX_RATIO = 2**28, 100
"""A compressed file may expand to FREE_EXPANSION bytes, or to MAX_RATIO times its length if that is more."""

GZIP, ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
"""The first bytes of compressed files."""

CHUNK = 2**18
"""The largest number of bytes per read."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""


class Raw:
    """A stream that begins with bytes that were already read from it. It counts the bytes that were read."""

    def __init__(self, stream: Readable, head: bytes = b"") -> None:
        self._stream = stream
        self._read = getattr(stream, "read1", stream.read)  # read1 does not wait until it has all bytes
        self._head = head
        self._is_file = isinstance(stream, io.BufferedReader) and stream.seekable()
        self.count = 0

    def read(self, size: int = CHUNK) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        data, self._head = self._head[:size], self._head[size:]
        data = data or self._read(size)
        self.count += len(data)
        return data

    def skip(self, size: int) -> bool:
        """Skip bytes if the stream is a file, even past its end; return whether they were skipped."""
        if self._head or not self._is_file:
            return False
        self._stream.seek(size, os.SEEK_CUR)  # type: ignore[attr-defined]
        return True

    def status(self) -> os.stat_result | None:
        """Return the status of the file that is the stream; None if the stream is no file."""
        return os.fstat(self._stream.fileno()) if self._is_file else None  # type: ignore[attr-defined]

    def starts_with(self, magic: bytes) -> bool:
        """Return whether the rest of the stream starts with these bytes, without consuming them."""
        while len(self._head) < len(magic) and (more := self._read(len(magic) - len(self._head))):
            self._head += more
        return self._head.startswith(magic)


class ForwardFile:
    """An uncompressed tar file for :mod:`tarfile`, which can only move forward.

    Attributes:
        last: The result of the last call of :meth:`read`: the header that ended an archive.
    """

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._data = _decompressed(raw)
        self._ahead = b""
        self._position = 0
        self.last = b""

    @property
    def compressed(self) -> bool:
        """Whether the file is compressed."""
        return self._data is not self._raw

    def status(self) -> os.stat_result | None:
        """Return the status of the file; None if the stream is no file that was opened at its beginning."""
        return None if self.compressed else self._raw.status()

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self._position

    def seek(self, position: int) -> None:
        """Move forward, at most to the end of the stream."""
        if position < self._position:
            raise SampleError("DamagedTar", "damaged tar file: a member of negative size")
        rest = position - self._position
        if rest > io.DEFAULT_BUFFER_SIZE and not self._ahead and not self.compressed and self._raw.skip(rest):
            self._position = position
        while (rest := position - self._position) and self._read(min(rest, CHUNK)):
            pass

    def read(self, size: int) -> bytes:
        """Return the next bytes of a header, fewer only at the end of the stream."""
        if size > MAX_HEADER:
            raise SampleError("DamagedTar", f"damaged tar file: a header of more than {MAX_HEADER:,} bytes")
        self.last = self.content(size)
        return self.last

    def content(self, size: int) -> bytes:
        """Return the next bytes of a member, fewer only at the end of the stream."""
        chunks = []
        while size and (chunk := self._read(min(size, CHUNK))):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def peek(self, size: int) -> bytes:
        """Return the next bytes without moving forward."""
        self._ahead = self.content(size)
        self._position -= len(self._ahead)
        return self._ahead

    def _read(self, size: int) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        data = data or self._data.read(size)
        self._position += len(data)
        if self.compressed and self._position > max(FREE_EXPANSION, MAX_RATIO * self._raw.count):
            raise SampleError("DecompressionBomb", f"it expands more than {MAX_RATIO}-fold: refused as a bomb")
        return data


def _decompressed(raw: Raw) -> Readable:
    if raw.starts_with(GZIP):
        return cast(Readable, gzip.GzipFile(fileobj=raw, mode="rb"))  # type: ignore[call-overload]
    if not raw.starts_with(ZSTD):
        return raw
    try:
        import zstandard
    except ImportError:
        raise SetupError("Zstandard files need a package: pip install 'deep-protection[shards]' (zstandard)") from None
    return cast(Readable, zstandard.ZstdDecompressor().stream_reader(cast(BinaryIO, raw), read_across_frames=True))
