"""Open regular files, and recognise pipes and devices, where reading could block for ever."""

import errno
import os
import stat
from typing import BinaryIO

from dptools.errors import SampleError

OPEN_FILES = 32
"""The number of shards and of Parquet files that stay open, so that records may alternate between them."""


def open_regular(path: str) -> BinaryIO:
    """Open a regular file.

    Raises:
        OSError: It cannot be opened, or it is a directory.
        SampleError: It is a pipe, socket or device.
        ValueError: The path contains NUL or half of a surrogate pair.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer would block
    try:
        _check_regular(os.fstat(handle).st_mode)
    except BaseException:
        os.close(handle)
        raise
    return open(handle, "rb")


def is_stream(path: str) -> bool:
    """Return whether a path is a pipe, or a file descriptor as in ``<(...)``, which workers cannot open."""
    try:
        return path.startswith(("/dev/fd/", "/dev/stdin", "/proc/self/fd/")) or stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _check_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise SampleError("BadPath", "not a regular file; to read a pipe, name it as an operand")
