"""Find the images and Parquet files below a directory."""

import os
import stat
from collections.abc import Collection, Iterator

from dptools.pipe.parquet_file import is_parquet

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".tga", ".ico", ".heic", ".heif", ".hif"),
)
"""The suffixes by which image files in a directory are recognised. An explicitly named file may have any suffix."""

METADATA = "metadata.parquet"
"""The name of a Parquet file without images, which the library ``datasets`` puts beside image files."""


def walk(root: str, leave_out: Collection[str] = ()) -> Iterator[tuple[str, OSError | None]]:
    """Yield the image and Parquet files below a directory, sorted by name.

    Symbolic links are followed, but not into cycles.

    Args:
        root: The directory.
        leave_out: Real paths of directories to leave out. The root is walked even if it is one of them.

    Yields:
        Pairs of a path and None; for a directory that cannot be read, its path and the error.
    """
    stack: list[tuple[str, tuple[str, ...]]] = [(root, ())]  # no recursion: a tree can be deeper than Python's limit
    while stack:
        path, ancestors = stack.pop()
        if not os.path.isdir(path):
            yield path, None
            continue
        real = os.path.realpath(path)
        if real in ancestors or (ancestors and real in leave_out):
            continue
        try:
            stack += [(child, (*ancestors, real)) for child in reversed(_children(path))]
        except OSError as error:
            yield path, error


def _children(directory: str) -> list[str]:
    """Return the directories, images and Parquet files in a directory, without hidden ones."""
    with os.scandir(directory) as entries:
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
        return [
            entry.path
            for entry in visible
            if _is_directory(entry) or (_is_input(entry.name) and not _is_special(entry))
        ]


def _is_input(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) or (is_parquet(name) and name != METADATA)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a directory. A cyclic link is treated as a file, and fails when it is read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a pipe, socket or device, where reading could block; False for a broken link."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False
