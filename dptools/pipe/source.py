"""Make samples from what a command line names: files, directories, or standard input.

Standard input holds one image, a list of paths, records as JSON Lines, a shard, or a Parquet file. An input that cannot
be read becomes an error record, and the following ones are read.
"""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import BinaryIO

from dptools.errors import SampleError, UsageError
from dptools.pipe.attempt import explain
from dptools.pipe.concatenated import holds_several
from dptools.pipe.containers import CONTAINERS, is_container_file, read_file, read_stream
from dptools.pipe.formats import mistaken_for_paths, unsupported_files
from dptools.pipe.lines import lines
from dptools.pipe.parquet_file import split_row
from dptools.pipe.record import MAX_LINE, SCHEMA_VERSION, Record, parse
from dptools.pipe.regular_file import is_stream
from dptools.pipe.sample import Sample
from dptools.pipe.shard_names import split
from dptools.pipe.sniff import BOM, InputFormat, sniff
from dptools.pipe.walk import walk


@dataclass(frozen=True)
class Source:
    """The input of a run.

    Attributes:
        samples: The samples, read as they are needed.
        one_image: Whether the input is a single image on standard input, whose output is an image too.
        empty: Whether the input is known to be empty.
        form: The format of standard input; None if operands are read.
        missing: The failed samples of operands that do not exist. They count as reported: the caller does that before
            the run.
    """

    samples: Iterator[Sample]
    one_image: bool = False
    empty: bool = False
    form: InputFormat | None = None
    missing: Collection[Sample] = ()


def open_source(
    operands: Sequence[str],
    stdin: BinaryIO,
    form: InputFormat | None = None,
    null: bool = False,
    leave_out: Collection[Path] = (),
) -> Source:
    """Return the samples that a command line names.

    Args:
        operands: Files, directories, and ``-`` for one image on standard input.
        stdin: Standard input, read only if there are no operands or one is ``-``.
        form: The format of standard input; None detects it from the first bytes.
        null: Whether standard input holds paths that end in NUL instead of newline.
        leave_out: The output directories. They are not walked, so that outputs do not become inputs of the next run.

    Raises:
        UsageError: Standard input holds nothing that can be read.
    """
    if list(operands) == ["-"]:
        found, head = sniff(stdin)
        several = found in CONTAINERS
        samples = _read_container_or_image(stdin, "-", found, head)
        return Source(samples, one_image=not several, form=found if several else None)
    if operands:
        excluded = [os.path.realpath(directory) for directory in leave_out]
        missing = {operand: error for operand in operands if (error := _find_missing(operand))}
        samples = (
            sample
            for operand in operands
            for sample in ([missing[operand]] if operand in missing else _read_operand(operand, stdin, excluded))
        )
        return Source(samples, missing=missing.values())
    head = b""
    if null:
        form = InputFormat.PATHS
    elif form is None:
        form, head = sniff(stdin)
        if not head:
            return Source(iter(()), empty=True)
        if form is InputFormat.PATHS and (mistake := mistaken_for_paths(head)):
            raise UsageError(mistake)
    return Source(_read_stdin(stdin, head, form, null), one_image=form is InputFormat.IMAGE, form=form)


def _read_stdin(stdin: BinaryIO, head: bytes, form: InputFormat, null: bool) -> Iterator[Sample]:
    if form is InputFormat.JSONL:
        return read_jsonl(stdin, head)
    if form is InputFormat.PATHS:
        return _read_paths(stdin, head, b"\0" if null else b"\n")
    return _read_container_or_image(stdin, "-", form, head)


def read_jsonl(
    stream: BinaryIO, head: bytes = b"", name: str = "stdin", *, needs_path: bool = True
) -> Iterator[Sample]:
    """Read records as JSON Lines; a line that is not a record becomes an error record that names the line.

    Args:
        stream: A buffered binary stream.
        head: Bytes that were already read from the stream.
        name: The name of the stream, for error messages.
        needs_path: Whether records need the path of an image.

    Raises:
        UsageError: The stream is a JSON array, or one object on several lines.
    """
    first = True
    for number, line in enumerate(lines(stream, head, b"\n"), start=1):
        text = line.removeprefix(BOM).strip()
        if not text:
            continue
        if first and (text == b"{" or text.startswith(b"[")):
            step = "-c ." if text == b"{" else "-c '.[]'"
            raise UsageError(f"{name}: this JSON is not one record per line: convert it with jq {step}")
        first = False
        try:
            if len(line) > MAX_LINE:
                raise SampleError("BadJSON", f"longer than {MAX_LINE:,} bytes")
            record = parse(text, needs_path=needs_path)
        except SampleError as error:
            where = f"line {number}" if name == "stdin" else f"{name}: line {number}"
            yield _failed(f"{name}:{number}", None, error.kind, f"{where}: {error.message}")
        else:
            yield Sample(record, reported=bool(record.get("error", {}).get("stage")))


def _read_image(stream: BinaryIO, head: bytes = b"", name: str = "stdin", path: str = "-") -> Iterator[Sample]:
    """Read an image from a stream, which workers cannot open. Its id is that of its embedded record, else ``name``."""
    from dptools.pipe.opening import embedded_id, read_all

    try:
        data = read_all(stream, head)
        if holds_several(data):
            raise SampleError("SeveralImages", "several images in a row: name the files as operands")
        if data or path != "-":
            yield Sample(_new_record(embedded_id(data) or name, path), encoded=data)
    except SampleError as error:
        yield _failed(name, path, error.kind, error.message)
    except OSError as error:
        yield _unreadable(path, error)


def _read_operand(operand: str, stdin: BinaryIO, leave_out: Collection[str]) -> Iterator[Sample]:
    if operand == "-":
        yield from _read_container_or_image(stdin, "-", *sniff(stdin))
    elif is_stream(operand):
        yield from _read_stream(operand)
    elif is_container_file(operand):
        yield from _read_container(operand, PurePath(operand).name)
    elif os.path.isdir(operand):
        yield from _read_directory(operand, leave_out)
    elif operand:
        yield _file(PurePath(operand).name or operand, operand)
    else:
        yield _failed("operand", None, "BadPath", "the operand is empty: name a file or a directory")


def _find_missing(operand: str) -> Sample | None:
    """Return the failed sample of an operand that is no file and no image in one; None if it may be one."""
    try:
        os.stat(operand)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not operand or operand == "-" or split(operand) or split_row(operand):
            return None
        sample = _failed(PurePath(operand).name or operand, operand, type(error).__name__, explain(error, operand))
        return replace(sample, reported=True)
    except (OSError, ValueError):
        return None
    return None


def _read_stream(path: str) -> Iterator[Sample]:
    try:
        with open(path, "rb") as stream:
            yield from _read_container_or_image(stream, path, *sniff(stream))
    except OSError as error:
        yield _unreadable(path, error)


def _read_container_or_image(stream: BinaryIO, path: str, form: InputFormat, head: bytes) -> Iterator[Sample]:
    if form not in CONTAINERS:
        yield from _read_image(stream, head, name="stdin" if path == "-" else PurePath(path).name, path=path)
        return
    try:
        yield from read_stream(stream, path, form, head)
    except OSError as error:
        yield _unreadable(path, error)


def _read_container(path: str, name: str) -> Iterator[Sample]:
    try:
        yield from read_file(path, name)
    except OSError as error:
        yield _unreadable(path, error)


def _read_directory(root: str, leave_out: Collection[str]) -> Iterator[Sample]:
    empty = True
    for path, error in walk(root, leave_out):
        empty = False
        name = os.path.relpath(path, root)
        if error:
            yield _unreadable(path, error)
        else:
            yield from _read_container(path, name) if is_container_file(path) else [_file(name, path)]
    if empty:
        yield _failed(root, root, "NoImages", unsupported_files(root))


def _read_paths(stream: BinaryIO, head: bytes, end: bytes) -> Iterator[Sample]:
    for number, line in enumerate(lines(stream, head, end), start=1):
        path = os.fsdecode(line.removesuffix(end))
        if len(line) > MAX_LINE:
            yield _failed(f"stdin:{number}", None, "BadPath", f"line {number}: longer than {MAX_LINE:,} bytes")
        elif path and os.path.isdir(path):
            yield _failed(path, path, "IsADirectory", "is a directory; name it as an operand to walk it")
        elif path:
            name = re.sub(r"^(\./+)+(?=.)", "", path)
            yield from _read_container(path, name) if is_container_file(path) else [_file(name, path)]


def _file(name: str, path: str) -> Sample:
    return Sample(_new_record(name, path))


def _unreadable(path: str, error: OSError) -> Sample:
    return _failed(path, path, type(error).__name__, error.strerror or str(error))


def _failed(name: str, path: str | None, kind: str, message: str) -> Sample:
    """Return an error record that names no tool: the loop fills it in."""
    return Sample(_new_record(name, path)).fail("", kind, message)


def _new_record(name: str, path: str | None) -> Record:
    record = {"schema": SCHEMA_VERSION, "id": name}
    return record if path is None else {**record, "path": path, "source": path}
