"""Check the place that ``-o`` names before a run starts."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dptools.cli.entry import report
from dptools.cli.options import tool_name
from dptools.errors import UsageError
from dptools.pipe.file_formats import SUFFIXES as FILE_SUFFIXES
from dptools.pipe.parquet_file import is_parquet
from dptools.pipe.shard_names import COMPRESSED, STDOUT, is_shard
from dptools.pipe.walk import SUFFIXES


def check_output(out: Path, operands: Sequence[str], *, lossless: bool = False) -> None:
    """Check that images can be written to a directory or a shard without loss.

    Args:
        out: The directory or the shard, ``-`` for standard output.
        operands: The inputs.
        lossless: Whether the tool writes only formats without loss.

    Raises:
        UsageError: They cannot; the message suggests a remedy.
    """
    if out == STDOUT:
        if sys.stdout.isatty():
            raise UsageError("the shard would go to the terminal: redirect it to a file, or name one with -o")
        return
    exists, is_dir = os.path.exists(out), os.path.isdir(out)  # methods of Path raise errors of permission
    if out.suffix.lower() in SUFFIXES and not is_dir:
        raise UsageError(f"-o {out}: expected a directory; {_advice(out, operands, lossless)}")
    if str(out).lower().endswith(COMPRESSED):
        raise UsageError(f"-o {out}: compressed shards are not written; PNG images would not get smaller: use .tar")
    if is_parquet(out) and not is_dir:
        raise UsageError(f"-o {out}: Parquet files are read but not written: name a directory or FILE.tar")
    if is_shard(out) and exists and not os.path.isfile(out):
        raise UsageError(f"-o {out}: not a file; a name that ends in .tar means a shard")
    if exists and not is_dir and not is_shard(out):
        raise UsageError(f"-o {out}: not a directory")
    if is_shard(out) and exists and os.path.samestat(os.fstat(0), out.stat()):
        raise UsageError(f"-o {out}: the shard on standard input would be replaced: use another name")
    check_writable(Path(os.path.realpath(out)).parent if is_shard(out) else out, f"-o {out}")


def without_outputs(operands: Sequence[str], out: Path | None, extra_directories: Sequence[Path] = ()) -> list[str]:
    """Return the operands that are inputs, and report the outputs among them, as in the second ``-o in/out in/*``.

    Args:
        operands: The operands.
        out: The directory or the shard, ``-`` for standard output; None for none.
        extra_directories: Further directories for outputs.

    Raises:
        UsageError: No input is left.
    """
    outputs = {os.path.realpath(path) for path in (out, *extra_directories) if path and path != STDOUT}
    found = [operand for operand in operands if os.path.exists(operand) and os.path.realpath(operand) in outputs]
    if found and len(found) == len(operands):
        reason = "replaced" if is_shard(found[0]) else "mixed with the outputs, which the next run would read"
        raise UsageError(f"-o {out or extra_directories[0]}: the input {found[0]} would be {reason}: use another name")
    for operand in found:
        report(f"{operand}: left out, because it is an output")
    return [operand for operand in operands if operand not in found]


def check_writable(directory: Path, name: str) -> None:
    """Check that files can be created in a directory, or if it does not exist, in the one that would contain it.

    Args:
        directory: The directory. It is not created.
        name: What the user named, for the message.

    Raises:
        UsageError: They cannot.
    """
    place = next(path for path in (directory, *directory.absolute().parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(f"{name}: no file can be created in {place}: {error.strerror}") from None


def filter_usage(source: str = "IMAGE", target: Path = Path("OUT.png"), lossless: bool = False) -> str:
    """Return the command that reads one image from standard input and writes one to standard output.

    Args:
        source: The input.
        target: The file that the user named. If its suffix is that of another format than PNG, the command selects it.
        lossless: Whether the tool writes only formats without loss.
    """
    name = next((name for name, suffixes in FILE_SUFFIXES.items() if target.suffix.lower() in suffixes), None)
    if name == "png" or (name == "webp" and lossless) or (name and not lossless):
        return f"{tool_name()} {f'--format {name} ' if name != 'png' else ''}< {source} > {target}"
    return f"{tool_name()} < {source} > {target.with_suffix('.png')}"


def _advice(out: Path, operands: Sequence[str], lossless: bool) -> str:
    """Return the command that the user may have meant by an output that is an image file."""
    if len(operands) > 1 or (operands and os.path.isdir(operands[0])):
        return f"for several images: {tool_name()} -o DIR {operands[0]}{' ...' * (len(operands) > 1)}"
    source = operands[0] if operands and operands[0] != "-" else "IMAGE"
    return f"for one image: {filter_usage(source, out, lossless)}"
