"""Read the images in a Parquet file, as the library ``datasets`` of Hugging Face writes them.

The images are in a column of structs with the field ``bytes``, or of binary values. Labels are in the column ``label``.
Only these columns are read, a few rows at a time.
"""

import os
import re
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from dptools.errors import SampleError, SetupError
from dptools.pipe.forward_file import CHUNK
from dptools.pipe.shard_stream import MAX_MEMBER

SUFFIX = ".parquet"

MAGIC = b"PAR1"
"""The first and the last bytes of a Parquet file."""

IMAGE, LABEL = "image", "label"
"""The names of the columns. If there is no column ``image``, the only column of images is read."""

BATCH = 16
"""The number of rows that are in memory at once."""

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
        label: Its label; None if it has none, or if it is negative, as in test sets whose labels are secret.
    """

    number: int
    image: bytes | None
    label: int | str | None = None

    def content(self) -> bytes:
        """Return the bytes of the image file.

        Raises:
            SampleError: The row has none, or too many.
        """
        if self.image is None:
            raise SampleError("NoImage", "the row holds no image, or only the path of one: embed the image files")
        if len(self.image) > MAX_MEMBER:
            raise SampleError("TooLarge", f"the image has {len(self.image):,} bytes, more than {MAX_MEMBER:,}")
        return self.image


class ParquetImages:
    """The images in a Parquet file.

    Attributes:
        groups: The numbers of the rows of each row group. Damage ends a group, and the next one can be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Read the description of the columns at the end of a file.

        Raises:
            SampleError: The file is damaged, or has no column of images.
            SetupError: A package is missing.
        """
        self._table = _open(file)
        schema = self._table.schema_arrow
        self._image = _image_column(schema)
        self._label = LABEL if LABEL in schema.names and _is_label(schema.field(LABEL).type) else None
        self.groups: list[range] = []
        for index in range(self._table.num_row_groups):
            start = self.groups[-1].stop if self.groups else 0
            self.groups.append(range(start, start + self._table.metadata.row_group(index).num_rows))

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.groups[-1].stop if self.groups else 0

    def rows(self, group: int) -> Iterator[Row]:
        """Yield the rows of a row group.

        Raises:
            SampleError: The group is damaged.
        """
        columns = [self._image, *([self._label] if self._label else [])]
        numbers = iter(self.groups[group])
        try:
            for batch in self._table.iter_batches(BATCH, [group], columns, use_threads=False):
                for values in zip(*(batch.column(name) for name in columns), strict=True):
                    image, *label = (value.as_py() for value in values)
                    content = image.get("bytes") if isinstance(image, dict) else image
                    yield Row(next(numbers), content, _label(*label))
            if len(list(numbers)):
                raise SampleError("DamagedParquet", "damaged Parquet file: it has fewer rows than it states")
        except Exception as error:  # pyarrow raises many types of exception on damaged files
            raise _damaged(error) from None


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


@lru_cache(maxsize=2)
def _cursor(path: str, *_: int) -> _Cursor:
    """Return the cursor of a file. The other arguments change if the file does."""
    with ExitStack() as opened:
        cursor = _Cursor(ParquetImages(opened.enter_context(open(path, "rb"))))
        weakref.finalize(cursor, opened.pop_all().close)
    return cursor


def _open(file: BinaryIO) -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise SetupError("Parquet files need a package: pip install 'deep-protection[parquet]' (pyarrow)") from None
    try:
        return parquet.ParquetFile(file, buffer_size=CHUNK, pre_buffer=False, page_checksum_verification=True)
    except Exception as error:  # as above
        raise _damaged(error) from None


def _image_column(schema: Any) -> str:
    """Return the name of the column of images.

    Raises:
        SampleError: There is none, or there are several.
    """
    found = [column.name for column in schema if _holds_images(column.type)]
    if IMAGE in found:
        return IMAGE
    if len(found) == 1:
        return str(found[0])
    columns = ", ".join((found or schema.names)[:10]) or "none"
    if found:
        raise SampleError("NoImages", f"several columns may hold the images ({columns}): rename one to {IMAGE!r}")
    raise SampleError("NoImages", f"no column holds images as bytes (columns: {columns})")


def _holds_images(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_images(kind.field("bytes").type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_label(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind))


def _label(value: int | str | None = None) -> int | str | None:
    return None if isinstance(value, int) and value < 0 else value


def _damaged(error: Exception) -> SampleError:
    if isinstance(error, SampleError):
        return error
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return SampleError("DamagedParquet", f"damaged Parquet file: {reason}")
