"""Read the images in a Parquet file, as the library ``datasets`` of Hugging Face writes them.

The images are in a column of structs with the field ``bytes``, or of binary values. Labels are in the column ``label``.
Only these columns are read, one row at a time.
"""

import os
import re
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from dptools.errors import SampleError, SetupError
from dptools.pipe.concatenated import holds_several_parquet
from dptools.pipe.forward_file import CHUNK, FREE_EXPANSION, MAX_RATIO
from dptools.pipe.parquet_columns import Labels, image_buffer, image_column
from dptools.pipe.regular_file import OPEN_FILES, open_regular
from dptools.pipe.shard_stream import MAX_MEMBER

SUFFIX = ".parquet"

MAGIC = b"PAR1"
"""The first and the last bytes of a Parquet file."""

START = MAGIC + rb"[\x01-\x08\x0e-\x1f]"
"""A regular expression for the start of a Parquet file. The name of an image file may begin with MAGIC too."""

BATCH = 1
"""The number of rows that are decoded at once. Several rows may hold the same large value, which is stored once."""

_ROW = re.compile(rf"(.*{re.escape(SUFFIX)})#(\d{{1,18}})", re.IGNORECASE | re.DOTALL)


def is_parquet(path: str | Path) -> bool:
    """Return whether a path has the suffix of a Parquet file."""
    return str(path).lower().endswith(SUFFIX)


def split_row(path: str) -> tuple[str, int] | None:
    """Return the file and the row that a path such as ``a.parquet#07`` names; None if it names no row."""
    match = _ROW.fullmatch(path)
    return (match[1], int(match[2])) if match else None


@dataclass(frozen=True)
class Row:
    """A row of a Parquet file.

    Attributes:
        number: Its number in the file, from 0.
        image: The bytes of its image file; None if it has none.
        label: Its label; None if it has none.
        size: The length of the image file in bytes. If it is more than MAX_MEMBER, ``image`` is None.
    """

    number: int
    image: bytes | None
    label: int | str | None = None
    size: int = 0

    def content(self) -> bytes:
        """Return the bytes of the image file.

        Raises:
            SampleError: The row has none, or too many.
        """
        if self.size > MAX_MEMBER:
            raise SampleError("TooLarge", f"the image has {self.size:,} bytes, more than {MAX_MEMBER:,}")
        if self.image is None:
            raise SampleError("NoImage", "the row holds no image, or only the path of one: embed the image files")
        return self.image


class ParquetImages:
    """The images in a Parquet file.

    Attributes:
        groups: The numbers of the rows of each row group. Damage ends a group, and the next one can be read.
        labels: The column of labels.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Read the description of the columns at the end of a file.

        Raises:
            SampleError: The file is damaged, or has no column of images, or is followed by another one.
            SetupError: A package is missing.
        """
        parquet = _package()
        with _damage_reported():
            self._table = parquet.ParquetFile(
                file, buffer_size=CHUNK, pre_buffer=False, page_checksum_verification=True
            )
            size = file.seek(0, os.SEEK_END)
            if holds_several_parquet(file, size - _end_of_contents(self._table.metadata)):
                raise SampleError("SeveralFiles", "several Parquet files in a row: name them as operands")
            self._column, self._part = image_column(self._table.schema_arrow)
            self.labels = Labels.of(self._table.schema_arrow)
            self.groups: list[range] = []
            for index in range(self._table.num_row_groups):
                start = self.groups[-1].stop if self.groups else 0
                self.groups.append(range(start, start + self._table.metadata.row_group(index).num_rows))
        self._limit = max(FREE_EXPANSION, MAX_RATIO * size)
        self._expanded = [0] * len(self.groups)

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.groups[-1].stop if self.groups else 0

    def rows(self, group: int) -> Iterator[Row]:
        """Yield the rows of a row group.

        Raises:
            SampleError: The group is damaged, or the file is a decompression bomb.
        """
        columns = [self._part, *([self.labels.column] if self.labels.column else [])]
        numbers = iter(self.groups[group])
        self._expanded[group] = 0
        with _damage_reported():
            self._check_expansion(_stated_size(self._table.metadata.row_group(group), columns))
            for batch in self._table.iter_batches(BATCH, [group], columns, use_threads=False):
                buffer = image_buffer(batch.column(self._column)[0])
                self._expanded[group] += buffer.size if buffer else 0
                self._check_expansion(sum(self._expanded))
                label = self.labels.read(batch.column(self.labels.column)[0]) if self.labels.column else None
                yield _row(next(numbers), buffer, label)
            if len(list(numbers)):
                raise SampleError("DamagedParquet", "damaged Parquet file: it has fewer rows than it states")

    def _check_expansion(self, size: int) -> None:
        if size > self._limit:
            raise SampleError("DecompressionBomb", f"it expands more than {MAX_RATIO}-fold: refused as a bomb")


@dataclass
class _Cursor:
    """Reads single rows. Rows in ascending order take one pass through the file."""

    images: ParquetImages
    lock: threading.Lock = field(default_factory=threading.Lock)
    group: int = -1
    last: int = -1
    rest: Iterator[Row] = field(default_factory=lambda: iter(()))

    def read(self, number: int) -> bytes:
        with self.lock:
            group = next((index for index, rows in enumerate(self.images.groups) if number in rows), None)
            if group is None:
                raise SampleError("FileNotFoundError", "the Parquet file has no such row")
            if group != self.group or number <= self.last:
                self.rest = self.images.rows(group)
            self.group = -1  # Reading may fail, and the rest of the group is lost then.
            row = next(row for row in self.rest if row.number == number)
            self.group, self.last = group, number
            return row.content()


def read_row(path: str, number: int) -> bytes:
    """Return the image in a row of a Parquet file.

    Raises:
        OSError: The file cannot be read.
        SampleError: The file is damaged, or has no such row, or the row has no image.
        SetupError: A package is missing.
    """
    status = os.stat(path)
    return _cursor(os.path.realpath(path), status.st_ino, status.st_size, status.st_mtime_ns).read(number)


@lru_cache(maxsize=OPEN_FILES)
def _cursor(path: str, *_: int) -> _Cursor:
    """Return the cursor of a file, which it closes at its end. The other arguments change if the file does."""
    with ExitStack() as opened:
        cursor = _Cursor(ParquetImages(opened.enter_context(open_regular(path))))
        weakref.finalize(cursor, opened.pop_all().close)
    return cursor


def _package() -> Any:
    """Return the module that reads Parquet files."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "pyarrow":
            raise SetupError("Parquet files need a package: pip install 'deep-protection[parquet]' (pyarrow)") from None
        raise SetupError(f"the package for Parquet files (pyarrow) cannot be used: {error}") from None
    return parquet


def _end_of_contents(metadata: Any) -> int:
    """Return the number of bytes that the description of a file accounts for: its pages, its footer and its ends."""
    end = len(MAGIC)
    for chunk in _chunks(metadata.row_group(metadata.num_row_groups - 1)) if metadata.num_row_groups else ():
        start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)), default=0)
        end = max(end, start + chunk.total_compressed_size)
    return int(end + metadata.serialized_size + 2 * len(MAGIC))


def _stated_size(group: Any, columns: list[str]) -> int:
    """Return the uncompressed size of columns, as the description of a row group states it."""
    chunks = [
        chunk for chunk in _chunks(group) if f"{chunk.path_in_schema}.".startswith(tuple(f"{c}." for c in columns))
    ]
    return sum(chunk.total_uncompressed_size for chunk in chunks)


def _chunks(group: Any) -> list[Any]:
    return [group.column(index) for index in range(group.num_columns)]


def _row(number: int, buffer: Any, label: int | str | None) -> Row:
    size = buffer.size if buffer else 0
    return Row(number, None if buffer is None or size > MAX_MEMBER else buffer.to_pybytes(), label, size)


@contextmanager
def _damage_reported() -> Iterator[None]:
    """Turn the exceptions that a damaged file causes into a :class:`SampleError`."""
    try:
        yield
    except (SampleError, SetupError):
        raise
    except Exception as error:  # pyarrow raises many types of exception on damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SampleError("DamagedParquet", f"damaged Parquet file: {reason}") from None
