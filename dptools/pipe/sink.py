"""Where images go: files named after ids, that appear whole or not at all."""

import os
import re
import tempfile
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.walk import SUFFIXES

_ID = re.compile(
    rf"(?P<stem>.+?)(?:{'|'.join(map(re.escape, SUFFIXES))})?(?P<attacks>(?:@[\w:+-]+)*)", re.IGNORECASE | re.DOTALL
)

MAX_NAME = 255
"""Bytes of one part of a path, on all usual file systems."""


def target(directory: Path, sample_id: str) -> Path:
    """The PNG below the directory in which a sample's image is written: ``n01/a.jpg@gs`` gives ``n01/a@gs.png``.

    Whatever the id says, the path stays below the directory.

    Raises:
        SampleError: nothing of the id can serve as a name, or it is too long.
    """
    parts = [part for part in sample_id.replace("\0", "").split("/") if part not in ("", ".", "..")]
    match = _ID.fullmatch("/".join(parts))
    if not match:
        raise SampleError("BadId", f"no file name can be made of the id {sample_id!r}")
    name = f"{match['stem']}{match['attacks']}.png"
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        raise SampleError(
            "BadId", "the id has half of a surrogate pair in it, of which no file name can be made"
        ) from None
    if max(len(os.fsencode(part)) for part in name.split("/")) > MAX_NAME:
        raise SampleError("BadId", f"its output would have a name of more than {MAX_NAME} bytes")
    return directory / name


def write(path: Path, data: bytes, root: Path) -> None:
    """Write a file so that it appears whole or not at all, under a name that begins with a dot until then.

    Raises:
        SampleError: the directory cannot be made, leads out of the root by a symbolic link, or has no room.
    """
    temporary = None
    try:
        if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(root)):
            raise SampleError("OutsideOutput", f"{path.parent} leads out of {root} by a symbolic link")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = None
    except (OSError, ValueError) as error:
        message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SampleError("WriteError", f"{path}: {message}") from None
    finally:
        if temporary:
            os.unlink(temporary)


def _umask() -> int:
    """The process's umask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
