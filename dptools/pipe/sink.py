"""Write output files atomically, below one directory, under names that are derived from ids."""

import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.sample import Sample
from dptools.pipe.walk import SUFFIXES

_SUFFIX = "|".join(map(re.escape, SUFFIXES))

_ID = re.compile(rf"(?P<stem>.+?)(?P<suffix>{_SUFFIX})?(?P<id_suffixes>(?:@[\w:+-]+)*)", re.IGNORECASE | re.DOTALL)

MAX_NAME = 255
"""The longest name of a file or directory on the usual file systems, in bytes."""


def target(directory: Path, sample_id: str, suffix: str = ".png", keep: Collection[str] = ()) -> Path:
    """Return the path of a sample's image below a directory: ``n01/a.jpg@x`` gives ``n01/a@x.png``.

    The path stays below the directory, whatever the id contains.

    Args:
        directory: The directory.
        sample_id: The id.
        suffix: The suffix of the file.
        keep: Suffixes, in lower case, that stay as they are in the id.

    Raises:
        SampleError: No file name can be made from the id, or it is too long.
    """
    parts = [part for part in sample_id.replace("\0", "").split("/") if part not in ("", ".", "..")]
    match = _ID.fullmatch("/".join(parts))
    if not match:
        raise SampleError("BadId", f"no file name can be made from the id {sample_id!r}")
    own = match["suffix"] or ""
    name = f"{match['stem']}{match['id_suffixes']}{own if own.lower() in keep else suffix}"
    check_name_length(name)
    return directory / name


def check_name_length(name: str) -> None:
    """Check that a file system can hold each part of a relative path.

    Raises:
        SampleError: A part is too long, or cannot be encoded.
    """
    try:
        longest = max(len(os.fsencode(part)) for part in name.split("/"))
    except UnicodeEncodeError:
        raise SampleError(
            "BadId", "no file name can be made from the id: it contains half of a surrogate pair"
        ) from None
    if longest > MAX_NAME:
        raise SampleError("BadId", f"the name of its output would have more than {MAX_NAME} bytes")


def write(path: Path, data: bytes, root: Path, check: Callable[[], None] | None = None) -> None:
    """Write a file atomically: rename a complete temporary file, whose name begins with a dot.

    Args:
        path: The file. Missing directories are created.
        data: Its content.
        root: The directory that the file must lie in.
        check: Called before an existing file is replaced, also if another process has just written it. It raises a
            SampleError if the file must be kept. None replaces any file.

    Raises:
        SampleError: The file cannot be written, or a symbolic link leads out of the root.
    """
    with temporary_file(path, data, root) as temporary:
        place(temporary, path, check)


@contextmanager
def temporary_file(path: Path, data: bytes, root: Path) -> Iterator[str]:
    """Write a complete temporary file beside a path, and yield its name. It is removed if it was not renamed.

    Args:
        path: The final path. Missing directories are created.
        data: The content.
        root: The directory that the file must lie in.

    Raises:
        SampleError: The file cannot be written or renamed, or a symbolic link leads out of the root.
    """
    temporary = None
    try:
        _check_inside(path, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~umask())
        yield temporary
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def place(temporary: str, path: Path, check: Callable[[], None] | None = None) -> None:
    """Rename a temporary file to its final path; the arguments are those of :func:`write`.

    Raises:
        OSError: The file cannot be renamed.
        SampleError: An existing file must be kept.
    """
    if check is None or not _is_new(temporary, path, check):
        os.replace(temporary, path)


def _is_new(temporary: str, path: Path, check: Callable[[], None]) -> bool:
    """Give a temporary file a second name, the final one, if no file has it; else check the existing file.

    A new name cannot replace a file, so of two processes that write the same name, the second notices. File systems
    without hard links, such as exFAT, leave a gap of microseconds between check and replacement.

    Returns:
        Whether the file has its final name. Otherwise it may be renamed.
    """
    with suppress(OSError):
        os.link(temporary, path)
        return True
    check()
    return False


def write_extra(path: Path, data: bytes, root: Path, sample: Sample) -> None:
    """Write an additional file that a tool makes from a sample, such as an overlay, as :func:`write` does.

    Raises:
        SampleError: The file cannot be written, or is one that the sample was made from.
    """
    check_not_input(path, sample)
    write(path, data, root)


def check_not_input(path: Path, sample: Sample) -> None:
    """Check that an output does not overwrite the image that the sample was made from.

    Raises:
        SampleError: The path is the sample's image, or its source.
    """
    for image in (str(sample.record.get(name, "")) for name in ("path", "source")):
        if path.exists() and os.path.exists(image) and path.samefile(image):
            raise SampleError("WriteError", f"{path} would overwrite the input: name another file or directory")


def umask() -> int:
    """Return the umask of the process, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _check_inside(path: Path, root: Path) -> None:
    if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(root)):
        raise SampleError("OutsideOutput", f"{path.parent} leads out of {root} by a symbolic link")


def _write_error(path: Path, error: OSError | ValueError) -> SampleError:
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SampleError("WriteError", f"{path}: {message}")
