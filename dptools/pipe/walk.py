"""The images below a directory."""

import os
import stat
from collections.abc import Collection, Iterator

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".tga", ".ico"),
)
"""Names that count as images in a directory. A file that is named itself may have any name."""


def walk(root: str, leave_out: Collection[str] = ()) -> Iterator[tuple[str, OSError | None]]:
    """Image files below a directory, in the order of their names; links are followed, but never round in a circle.

    Args:
        leave_out: real paths of directories not to enter, unless one is the root itself.

    Yields:
        Paths; with the error, those of directories that cannot be read.
    """
    waiting: list[tuple[str, tuple[str, ...]]] = [(root, ())]  # a stack, since trees may be deeper than Python's
    while waiting:
        path, above = waiting.pop()
        if not os.path.isdir(path):
            yield path, None
            continue
        here = os.path.realpath(path)
        if here in above or (above and here in leave_out):
            continue
        try:
            waiting += [(each, (*above, here)) for each in reversed(_listed(path))]
        except OSError as error:
            yield path, error


def _listed(directory: str) -> list[str]:
    """The directories and images in a directory, but for hidden ones."""
    with os.scandir(directory) as entries:
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
        return [
            entry.path
            for entry in visible
            if _is_directory(entry) or (entry.name.lower().endswith(SUFFIXES) and not _is_special(entry))
        ]


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """A link that leads round in a circle is none, and fails when read if it has an image's name."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """A pipe, socket or device, in which reading may wait for ever; a broken link is none, and fails when read."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False
