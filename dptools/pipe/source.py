"""Where samples come from: operands, or standard input as one image, as paths or as JSON Lines."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import BinaryIO

from dptools.errors import SampleError
from dptools.pipe.record import MAX_LINE, Record, parse
from dptools.pipe.sample import Sample

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".tga", ".ico"),
)
"""Names that count as images in a directory. A file that is named itself may have any name."""

_MAGIC = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM....\0\0\0\0|II\*\0|MM\0\*|RIFF....WEBP|P[1-7]\s"
    rb"|\0\0\0.ftyp|\0\0\0\x0cjP  |\0\0\x01\0",
    re.DOTALL,
)
_MAGIC_LENGTH = 12
_BOM = b"\xef\xbb\xbf"


class Form(StrEnum):
    """What standard input holds."""

    IMAGE = "image"
    PATHS = "paths"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Source:
    """The samples, and what is known of them beforehand.

    Attributes:
        one_image: they are the one image on standard input, whose output is an image too.
        empty: there are none.
    """

    samples: Iterator[Sample]
    one_image: bool = False
    empty: bool = False


def open_source(operands: Sequence[str], stdin: BinaryIO, form: Form | None = None, null: bool = False) -> Source:
    """The samples that a command line names.

    Args:
        operands: files, directories, and ``-`` for one image on standard input.
        stdin: read only if no operand is given, or ``-`` is.
        form: what stdin holds; found out from its first bytes when None.
        null: stdin holds paths that end in NUL bytes instead of newlines.
    """
    if list(operands) == ["-"]:
        return Source(_image(stdin.read()), one_image=True)
    if operands:
        return Source(sample for operand in operands for sample in _operand(operand, stdin))
    head = b""
    if null:
        form = Form.PATHS
    elif form is None:
        form, head = sniff(stdin)
        if not head:
            return Source(iter(()), empty=True)
    if form is Form.IMAGE:
        return Source(_image(head + stdin.read()), one_image=True)
    if form is Form.JSONL:
        return Source(read_jsonl(stdin, head))
    return Source(_paths(stdin, head, b"\0" if null else b"\n"))


def sniff(stream: BinaryIO) -> tuple[Form, bytes]:
    """Tell what a stream holds, and the bytes taken from it to find out; never waits for more than it needs."""
    head = b""
    while len(head) < _MAGIC_LENGTH and _may_be_image(head) and not _MAGIC.match(head):
        if not (byte := stream.read(1)):
            break
        head += byte
    if _MAGIC.match(head):
        return Form.IMAGE, head
    return (Form.JSONL if head.removeprefix(_BOM).lstrip()[:1] == b"{" else Form.PATHS), head


def read_jsonl(stream: BinaryIO, head: bytes = b"", name: str = "stdin") -> Iterator[Sample]:
    """The records of a stream; a line that is none becomes an error record that names the line."""
    for number, line in enumerate(_lines(stream, head, b"\n"), start=1):
        text = line.removeprefix(_BOM).strip()
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


def _may_be_image(head: bytes) -> bool:
    return not head or head[:1] in b"\x89\xffGBIMRP\0" or _BOM.startswith(head) or not head.strip()


def _image(data: bytes) -> Iterator[Sample]:
    if data:
        yield Sample(_record("stdin", "-"), encoded=data)


def _operand(operand: str, stdin: BinaryIO) -> Iterator[Sample]:
    if operand == "-":
        yield from _image(stdin.read())
    elif os.path.isdir(operand):
        yield from _directory(operand)
    else:
        yield _file(PurePath(operand).name or operand, operand)


def _directory(root: str) -> Iterator[Sample]:
    empty = True
    for sample in _walk(root, root, ()):
        empty = False
        yield sample
    if empty:
        yield _failed(root, root, "NoImages", "directory without images")


def _walk(root: str, directory: str, above: tuple[str, ...]) -> Iterator[Sample]:
    """Image files below, in the order of their names; links are followed, but never round in a circle."""
    here = os.path.realpath(directory)
    if here in above:
        return
    try:
        with os.scandir(directory) as entries:
            visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        yield _failed(directory, directory, type(error).__name__, error.strerror or str(error))
        return
    for entry in visible:
        if entry.is_dir():
            yield from _walk(root, entry.path, (*above, here))
        elif entry.name.lower().endswith(SUFFIXES):
            yield _file(os.path.relpath(entry.path, root), entry.path)


def _paths(stream: BinaryIO, head: bytes, end: bytes) -> Iterator[Sample]:
    for number, line in enumerate(_lines(stream, head, end), start=1):
        path = os.fsdecode(line.removesuffix(end))
        if len(line) > MAX_LINE:
            yield _failed(f"stdin:{number}", None, "BadPath", f"line {number}: longer than {MAX_LINE:,} bytes")
        elif path and os.path.isdir(path):
            yield _failed(path, path, "IsADirectory", "is a directory; name it as an operand to walk it")
        elif path:
            yield _file(re.sub(r"^(\./+)+(?=.)", "", path), path)


def _lines(stream: BinaryIO, head: bytes, end: bytes) -> Iterator[bytes]:
    """Lines; one that is longer than MAX_LINE is cut to one byte more, by which it is known."""
    return _split(stream, head) if end == b"\n" else _split_null(stream, head)


def _split(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    *whole, head = head.split(b"\n")
    yield from (line + b"\n" for line in whole)
    while line := head + stream.readline(MAX_LINE + 1):
        head = b""
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


def _split_null(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    while chunk := stream.read1(65536):  # type: ignore[attr-defined]  # every buffered reader has it
        *whole, head = (head + chunk).split(b"\0")
        yield from whole
        head = head[: MAX_LINE + 1]
    if head:
        yield head


def _file(name: str, path: str) -> Sample:
    return Sample(_record(name, path))


def _failed(name: str, path: str | None, kind: str, message: str) -> Sample:
    """An error record whose stage the loop fills in: the source does not know which tool reads it."""
    return Sample(_record(name, path)).fail("", kind, message)


def _record(name: str, path: str | None) -> Record:
    record = {"schema": 1, "id": name}
    return record if path is None else {**record, "path": path, "source": path}
