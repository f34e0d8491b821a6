"""Errors of the user's code, described on one line."""

import sysconfig
import traceback
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
"""The directory of dptools."""

_INSTALLED = {"site-packages", "dist-packages"}


def describe(error: BaseException) -> str:
    """Return the file and line of the user's code, if it raised the error, and the error, on one line."""
    message = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(Path(error.filename))}:{error.lineno}: {kind}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_users(Path(frame.filename))]
    where = f"{shown(Path(own[-1].filename))}:{own[-1].lineno}: " if own else ""
    return f"{where}{kind}: {message}" if message else f"{where}{kind}"


def is_users(path: Path) -> bool:
    """Return whether a source file belongs to the user: it is not of Python, of dptools or of an installed package."""
    if not path.is_absolute() or _INSTALLED & set(path.parts) or not path.is_file():
        return False
    return not any(path.is_relative_to(folder) for folder in (PACKAGE, sysconfig.get_path("stdlib")))


def shown(path: Path) -> str:
    """Return a path for messages: relative if it is below the current directory."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
