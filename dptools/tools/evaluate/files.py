"""Read the images that figures show, and write figures and reports."""

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dptools.errors import SampleError, SetupError
from dptools.pipe.sink import write

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dptools.evaluation.gallery import Drawing


@lru_cache(maxsize=8)
def read_image(path: str) -> "NDArray[Any] | None":
    """Return the pixels of an image file, H x W x 3; None if it cannot be read."""
    from dptools.pipe.image import decode
    from dptools.pipe.opening import read_image as read_file

    try:
        return decode(read_file(path)).pixels
    except (OSError, ValueError, SampleError):
        return None


def write_figures(drawings: "Iterable[Drawing]", directory: Path, formats: Sequence[str]) -> None:
    """Write each figure in each format.

    Args:
        drawings: The figures.
        directory: The directory to write to.
        formats: Some of :data:`dptools.evaluation.figure_options.FORMATS`.

    Raises:
        SetupError: A file cannot be written.
    """
    from dptools.evaluation.gallery import render

    for drawing in drawings:
        for file_format in formats:
            data = io.BytesIO()
            render(drawing, data, file_format)
            write_file(directory / f"{drawing.name}.{file_format}", data.getvalue())


def write_file(path: Path, data: bytes) -> None:
    """Write a file that appears complete or not at all.

    A pipe or device is written to directly. If the path is a symbolic link, the file that it points to is replaced.

    Raises:
        SetupError: The file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            path = path.resolve() if path.is_symlink() else path
            write(path, data, path.parent)
    except SampleError as error:
        raise SetupError(error.message) from None
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None
