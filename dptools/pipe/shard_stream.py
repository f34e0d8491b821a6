"""Read the members of a tar file from a stream, compressed or not. Nothing is extracted.

Memory does not grow with the length of the file. A file that is damaged or made to do harm is limited by MAX_MEMBER,
MAX_HEADER and MAX_RATIO.
"""

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from dptools.errors import SampleError, SetupError

MAX_MEMBER = 2**28
"""The longest member that is read, in bytes: the uncompressed size of the largest image. Longer ones are skipped."""

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
        self.count = 0

    def read(self, size: int = CHUNK) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        data, self._head = self._head[:size], self._head[size:]
        data = data or self._read(size)
        self.count += len(data)
        return data

    def skip(self, size: int) -> bool:
        """Skip bytes if the stream is a file, even past its end; return whether they were skipped."""
        if self._head or not isinstance(self._stream, io.BufferedReader) or not self._stream.seekable():
            return False
        self._stream.seek(size, os.SEEK_CUR)
        return True

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

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self._position

    def seek(self, position: int) -> None:
        """Move forward, at most to the end of the stream."""
        if position < self._position:
            raise SampleError("DamagedTar", "damaged tar file: a member of negative size")
        rest = position - self._position
        if rest > CHUNK and not self._ahead and not self.compressed and self._raw.skip(rest):
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


@dataclass(frozen=True)
class Member:
    """A member of a tar file. It can be read until the next one is requested."""

    info: tarfile.TarInfo
    file: ForwardFile

    def read(self) -> bytes:
        """Return the content.

        Raises:
            OSError: The stream cannot be read.
            SampleError: The file is damaged or cut off.
        """
        with _damage_reported():
            data = self.file.content(self.info.size)
            if len(data) < self.info.size:
                raise EOFError
            return data


def members(stream: Readable, head: bytes = b"") -> Iterator[Member]:
    """Yield the members of a tar file, or of several in a row, as ``cat a.tar b.tar`` gives them.

    Args:
        stream: The file, possibly compressed with gzip or Zstandard.
        head: Bytes that were already read from the stream.

    Raises:
        OSError: The stream cannot be read.
        SampleError: The file is no tar file, or it is damaged, cut off or a decompression bomb.
        SetupError: A package for decompression is missing.
    """
    with _damage_reported():
        file = ForwardFile(Raw(stream, head))
        if not file.peek(1):
            raise EOFError if head or file.compressed else SampleError("EmptyFile", "empty file")
    while True:
        with _damage_reported():
            block = file.peek(tarfile.BLOCKSIZE)
            if block and not any(block):
                file.content(len(block))  # zeros follow the last member
                continue
        if not block:
            return
        yield from _archive(file)


def is_header(block: bytes) -> bool:
    """Return whether a block of 512 bytes is the header of a member of a tar file, by its magic number or checksum."""
    if len(block) < tarfile.BLOCKSIZE:
        return False
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return block[257:262] == b"ustar"
    return True


def _archive(file: ForwardFile) -> Iterator[Member]:
    with _damage_reported():
        if file.tell() == 0 and not is_header(file.peek(tarfile.BLOCKSIZE)):
            advice = "compressed data, but no tar file: decompress it first (gzip -dc or zstd -dc)"
            raise SampleError("NotATar", advice if file.compressed else "not a tar file")
        archive = tarfile.TarFile(fileobj=file, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]
    while True:
        with _damage_reported():
            info = archive.next()
        if info is None:
            break
        yield Member(info, file)
        archive.members = []  # type: ignore[attr-defined]  # otherwise it keeps every header
    if len(file.last) < tarfile.BLOCKSIZE:
        raise SampleError("CutOff", "the tar file is cut off: it has no end mark")
    if any(file.last):
        raise SampleError("DamagedTar", f"damaged tar file: no valid header at byte {file.tell() - len(file.last):,}")


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


@contextmanager
def _damage_reported() -> Iterator[None]:
    """Turn the exceptions that a damaged file causes into a :class:`SampleError`."""
    try:
        yield
    except (SampleError, SetupError):
        raise
    except EOFError:
        raise SampleError("CutOff", "the tar file is cut off") from None
    except gzip.BadGzipFile as error:
        raise SampleError("DamagedTar", f"damaged tar file: {error}") from None
    except OSError:
        raise
    except Exception as error:  # tarfile, zlib and zstandard raise many types of exception on damaged files
        if "unexpected end of data" in str(error):
            raise SampleError("CutOff", "the tar file is cut off") from None
        raise SampleError("DamagedTar", f"damaged tar file: {error or type(error).__name__}") from None
