"""Make samples from a Parquet file: one for each row. A row without an image becomes an error record."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from dptools.errors import SampleError
from dptools.pipe.parquet_file import ParquetImages, Row
from dptools.pipe.record import SCHEMA_VERSION, Record
from dptools.pipe.sample import Sample

logger = logging.getLogger(__name__)


def read_parquet(file: BinaryIO, path: str, prefix: str) -> Iterator[Sample]:
    """Yield the samples of a Parquet file, in its order. All ids have as many digits as the last one.

    Args:
        file: The file, which can be searched.
        path: Its path; ``-`` for standard input.
        prefix: The ids of the samples are this prefix and the number of the row, from 0.

    Raises:
        SetupError: A package is missing.
    """
    try:
        images = ParquetImages(file)
        if not images.count:
            raise SampleError("NoImages", "Parquet file without rows")
    except SampleError as error:
        yield _failed({"schema": SCHEMA_VERSION, "id": path, "path": path, "source": path}, error)
        return
    digits = len(str(images.count - 1))
    problem = None
    for group, numbers in enumerate(images.groups):
        end = numbers.start
        try:
            for row in images.rows(group):
                if images.labels.problem and not problem:
                    problem = images.labels.problem
                    logger.warning("%s: %s", path, problem)
                end = row.number + 1
                yield _sample(row, path, prefix, digits)
        except SampleError as error:
            bomb = error.kind == "DecompressionBomb"  # the other row groups are not read either
            last = (images.count if bomb else numbers.stop) - 1
            lost = f"rows {end} to {last} cannot be read: {error.message}"
            yield _failed(_record(end, path, prefix, digits), SampleError(error.kind, lost))
            if bomb:
                return


@contextmanager
def spooled(stream: BinaryIO, head: bytes) -> Iterator[BinaryIO]:
    """Yield a file with the content of a stream that may be a pipe. A Parquet file is read from its end.

    Args:
        stream: The stream.
        head: Bytes that were already read from the stream.

    Raises:
        OSError: There is no room for a temporary file.
    """
    if stream.seekable() and stream.tell() == len(head):
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        file.write(head)
        shutil.copyfileobj(stream, file)
        yield cast(BinaryIO, file)


def _sample(row: Row, path: str, prefix: str, digits: int) -> Sample:
    record = _record(row.number, path, prefix, digits) | ({} if row.label is None else {"label": row.label})
    try:
        return Sample(record, encoded=row.content())
    except SampleError as error:
        return _failed(record, error)


def _record(number: int, path: str, prefix: str, digits: int) -> Record:
    name = f"{number:0{digits}}"
    place = f"{path}#{name}"
    return {"schema": SCHEMA_VERSION, "id": f"{prefix}{name}", "path": place, "source": place}


def _failed(record: Record, error: SampleError) -> Sample:
    return Sample(record).fail("", error.kind, error.message)
