"""Where samples come from: operands, or standard input as one image, as paths or as JSON Lines."""

import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from dptools.errors import SampleError
from dptools.pipe.lines import lines
from dptools.pipe.record import MAX_LINE, Record, parse
from dptools.pipe.sample import Sample
from dptools.pipe.sniff import BOM, InputFormat, sniff
from dptools.pipe.walk import walk


@dataclass(frozen=True)
class Source:
    """The samples, and what is known of them beforehand.

    Attributes:
        one_image: they are the one image on standard input, whose output is an image too.
        empty: there are none.
        form: what standard input was taken for; None where operands are.
    """

    samples: Iterator[Sample]
    one_image: bool = False
    empty: bool = False
    form: InputFormat | None = None


def open_source(
    operands: Sequence[str],
    stdin: BinaryIO,
    form: InputFormat | None = None,
    null: bool = False,
    leave_out: Collection[Path] = (),
) -> Source:
    """The samples that a command line names.

    Args:
        operands: files, directories, and ``-`` for one image on standard input.
        stdin: read only if no operand is given, or ``-`` is.
        form: what stdin holds; found out from its first bytes when None.
        null: stdin holds paths that end in NUL bytes instead of newlines.
        leave_out: directories that walks do not enter: those of the output, or it would be input the next time.
    """
    if list(operands) == ["-"]:
        return Source(_image(stdin), one_image=True)
    if operands:
        out = [os.path.realpath(directory) for directory in leave_out]
        return Source(sample for operand in operands for sample in _operand(operand, stdin, out))
    head = b""
    if null:
        form = InputFormat.PATHS
    elif form is None:
        form, head = sniff(stdin)
        if not head:
            return Source(iter(()), empty=True)
    if form is InputFormat.IMAGE:
        return Source(_image(stdin, head), one_image=True, form=form)
    if form is InputFormat.JSONL:
        return Source(read_jsonl(stdin, head), form=form)
    return Source(_paths(stdin, head, b"\0" if null else b"\n"), form=form)


def read_jsonl(stream: BinaryIO, head: bytes = b"", name: str = "stdin") -> Iterator[Sample]:
    """The records of a stream; a line that is none becomes an error record that names the line."""
    for number, line in enumerate(lines(stream, head, b"\n"), start=1):
        text = line.removeprefix(BOM).strip()
        if not text:
            continue
        try:
            if len(line) > MAX_LINE:
                raise SampleError("BadJSON", f"longer than {MAX_LINE:,} bytes")
            record = parse(text)
        except SampleError as error:
            where = f"line {number}" if name == "stdin" else f"{name}: line {number}"
            yield _failed(f"{name}:{number}", None, error.kind, f"{where}: {error.message}")
        else:
            yield Sample(record, reported="error" in record)


def _image(stream: BinaryIO, head: bytes = b"", name: str = "stdin", path: str = "-") -> Iterator[Sample]:
    """An image that has no file, called as the record in it says."""
    from dptools.pipe.opening import name_inside, read_all

    try:
        data = read_all(stream, head)
        if data or path != "-":
            yield Sample(_record(name_inside(data) or name, path), encoded=data)
    except SampleError as error:
        yield _failed(name, path, error.kind, error.message)
    except OSError as error:
        yield _unreadable(path, error)


def _operand(operand: str, stdin: BinaryIO, leave_out: Collection[str]) -> Iterator[Sample]:
    if operand == "-":
        yield from _image(stdin)
    elif _is_stream(operand):
        yield from _opened(operand)
    elif os.path.isdir(operand):
        yield from _directory(operand, leave_out)
    elif operand:
        yield _file(PurePath(operand).name or operand, operand)
    else:
        yield _failed("operand", None, "BadPath", "the empty name names no file")


def _is_stream(path: str) -> bool:
    """A pipe, or a descriptor as of ``<(...)``, which only this process has."""
    try:
        return path.startswith(("/dev/fd/", "/dev/stdin", "/proc/self/fd/")) or stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _opened(path: str) -> Iterator[Sample]:
    try:
        with open(path, "rb") as stream:
            yield from _image(stream, name=path, path=path)
    except OSError as error:
        yield _unreadable(path, error)


def _directory(root: str, leave_out: Collection[str]) -> Iterator[Sample]:
    empty = True
    for path, error in walk(root, leave_out):
        empty = False
        if error:
            yield _unreadable(path, error)
        else:
            yield _file(os.path.relpath(path, root), path)
    if empty:
        yield _failed(root, root, "NoImages", "directory without images")


def _paths(stream: BinaryIO, head: bytes, end: bytes) -> Iterator[Sample]:
    for number, line in enumerate(lines(stream, head, end), start=1):
        path = os.fsdecode(line.removesuffix(end))
        if len(line) > MAX_LINE:
            yield _failed(f"stdin:{number}", None, "BadPath", f"line {number}: longer than {MAX_LINE:,} bytes")
        elif path and os.path.isdir(path):
            yield _failed(path, path, "IsADirectory", "is a directory; name it as an operand to walk it")
        elif path:
            yield _file(re.sub(r"^(\./+)+(?=.)", "", path), path)


def _file(name: str, path: str) -> Sample:
    return Sample(_record(name, path))


def _unreadable(path: str, error: OSError) -> Sample:
    return _failed(path, path, type(error).__name__, error.strerror or str(error))


def _failed(name: str, path: str | None, kind: str, message: str) -> Sample:
    """An error record whose stage the loop fills in: the source does not know which tool reads it."""
    return Sample(_record(name, path)).fail("", kind, message)


def _record(name: str, path: str | None) -> Record:
    record = {"schema": 1, "id": name}
    return record if path is None else {**record, "path": path, "source": path}
