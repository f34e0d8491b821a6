"""Read the members of a tar file from a stream, compressed or not. Nothing is extracted.

Memory does not grow with the length of the file. A file that is damaged or made to do harm is limited by MAX_MEMBER,
and as :mod:`dptools.pipe.forward_file` describes.
"""

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dptools.errors import SampleError, SetupError
from dptools.pipe.forward_file import ForwardFile, Raw, Readable
from dptools.pipe.sample import Extent

MAX_MEMBER = 2**28
"""The longest member that is read, in bytes: the uncompressed size of the largest image. Longer ones are skipped."""

MAX_ZEROS = 2**24
"""The largest number of zeros in a row between archives and after the last one."""


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

    def extent(self, path: str) -> Extent | None:
        """Return where the content is, without reading it; None if the stream is no file, or a compressed one.

        Args:
            path: The path of the tar file.

        Raises:
            SampleError: The file is cut off.
        """
        with _damage_reported():
            status = self.file.status()
            if status is None:
                return None
            if self.info.offset_data + self.info.size > status.st_size:
                raise EOFError
            return Extent(path, self.info.offset_data, self.info.size, status.st_mtime_ns)


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
            block = _after_zeros(file)
        if not block:
            return
        yield from _archive(file)


def _after_zeros(file: ForwardFile) -> bytes:
    """Skip the zeros that follow the last member of an archive, and return the next block; none at the end.

    Raises:
        SampleError: There are more zeros than any archive ends with. The stream could be endless.
    """
    end = file.tell() + MAX_ZEROS
    while (block := file.peek(tarfile.BLOCKSIZE)) and not any(block):
        if file.tell() >= end:
            raise SampleError("DamagedTar", f"not a tar file, or a damaged one: more than {MAX_ZEROS:,} zeros in a row")
        file.content(len(block))
    return block


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
        if info.size < 0:
            raise SampleError("DamagedTar", "damaged tar file: a member of negative size")
        yield Member(info, file)
        archive.members = []  # type: ignore[attr-defined]  # otherwise it keeps every header
    if len(file.last) < tarfile.BLOCKSIZE:
        raise SampleError("CutOff", "the tar file is cut off: it has no end mark")
    if any(file.last):
        raise SampleError("DamagedTar", f"damaged tar file: no valid header at byte {file.tell() - len(file.last):,}")


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
