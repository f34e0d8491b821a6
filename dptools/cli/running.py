"""Run an image tool: connect standard input or operands, engine and output."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO, TextIO

from dptools.cli.engines import make_engine, with_progress
from dptools.cli.entry import report
from dptools.cli.options import Common
from dptools.cli.output_checks import check_output, check_writable, filter_usage, without_outputs
from dptools.errors import UsageError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.containers import CONTAINERS, is_container
from dptools.pipe.counting import input_counter
from dptools.pipe.progress import progress_is_useful
from dptools.pipe.run import EMPTY, Emit, complaint, emit_image, emit_lines, emit_text, run
from dptools.pipe.shard_names import STDOUT, is_output_shard
from dptools.pipe.sniff import InputFormat
from dptools.pipe.source import Source, open_source
from dptools.pipe.stage import Engine, ToolOptions
from dptools.pipe.trace import traced

Show = Callable[[TextIO], Emit]
"""A function that returns an emitter, which writes text for each record to a stream."""


def run_tool(stage: CachedFileStage, common: Common, device: str, text: Show | None) -> int:
    """Connect source, engine and sink, run the tool, and return the exit status.

    Args:
        stage: The tool.
        common: The common options.
        device: The device to compute on.
        text: Writes the records as text; None to write records or an image.
    """
    options = stage.options
    if common.null and common.input_format not in (None, InputFormat.PATHS):
        raise UsageError(f"-0 is for paths: it cannot be combined with --from {common.input_format}")
    stdin, operands = _stdin(), _check_places(stage, common.operands or [])
    directories = [*options.extra_directories, *([stage.out] if stage.out else [])]
    count = input_counter(operands, _handle(stdin), common.null, directories)
    source = open_source(operands, stdin, common.input_format, common.null, leave_out=directories)
    if source.empty:
        report(EMPTY)
        with options.collect(lambda _: None):  # a tool that sums up its results may need some
            return 0
    if options.single_image_reason and not (source.one_image or _is_one_file(operands)):
        raise UsageError(options.single_image_reason)
    stage = replace(stage, out=stage.out or _default_shard(options, source))
    if stage.out and is_output_shard(stage.out) and stage.file.format.name != "png":
        raise UsageError(f"--format {stage.file.format}: the images of a shard are PNG: name a directory with -o")
    as_image = _writes_image_to_stdout(options, stage.out, source)
    engine = make_engine(options, source.one_image, common, device)
    if progress_is_useful() and not common.quiet:
        unknown = source.form in CONTAINERS
        total = (lambda: 1) if source.one_image else (lambda: None) if unknown else count
        engine = with_progress(engine, total, options.id_suffixes)
    for sample in source.missing:
        report(complaint(sample))
    with ExitStack() as opened:
        stdout: IO[bytes] = sys.stdout.buffer
        if stage.out and is_output_shard(stage.out):
            engine, stdout = opened.enter_context(_into_shard(stage.out, engine, stage.force))
        emit = emit_text(stdout, options.text) if options.text else _make_emitter(stdout, as_image, text)
        emit = opened.enter_context(options.collect(emit))
        emit = opened.enter_context(traced(emit, options.trace)) if options.trace else emit
        return run(stage, source.samples, engine, emit, report)


def _check_places(stage: CachedFileStage, operands: list[str]) -> list[str]:
    """Check that all outputs can be written, and return the operands that are inputs.

    Raises:
        UsageError: An output cannot be written, or no input is left.
    """
    options = stage.options
    if stage.out:
        check_output(stage.out, operands, lossless=bool(options.lossless_reason))
        if stage.out == STDOUT and options.text is not None:
            raise UsageError("-o -: standard output takes the text: name a directory or FILE.tar for the images")
    for directory in options.extra_directories:
        check_writable(directory, str(directory))
    return without_outputs(operands, stage.out, options.extra_directories)


def _is_one_file(operands: list[str]) -> bool:
    operand, *others = operands or [""]
    return bool(operand) and not others and not os.path.isdir(operand) and not is_container(operand)


def _default_shard(options: ToolOptions, source: Source) -> Path | None:
    """Return standard output as the place for images if a shard on standard input becomes one; else None."""
    if not options.makes_images or options.text is not None or source.form is not InputFormat.TAR:
        return None
    check_output(STDOUT, [])
    return STDOUT


@contextmanager
def _into_shard(out: Path, engine: Engine, force: bool) -> Iterator[tuple[Engine, IO[bytes]]]:
    """Yield an engine that writes a shard, and a stream for the records."""
    from dptools.pipe.shard_sink import packed  # these modules import NumPy
    from dptools.pipe.shard_stdout import streamed

    if out != STDOUT:
        with packed(out, engine, force, sys.stdout.buffer) as (packing, records):
            yield packing, records
    else:  # the shard holds the records
        with streamed(engine, sys.stdout.buffer) as streaming, open(os.devnull, "wb") as nowhere:
            yield streaming, nowhere


def _writes_image_to_stdout(options: ToolOptions, out: Path | None, source: Source) -> bool:
    """Return whether standard output gets the image instead of records.

    Raises:
        UsageError: ``-o`` is not given, and standard output cannot take the images.
    """
    if not options.makes_images or out is not None or options.text is not None:
        return False
    if not source.one_image:
        hint = (
            "standard input is no image and was read as a list of paths; " if source.form is InputFormat.PATHS else ""
        )
        usage = "; ".join(filter(None, [f"for one image: {filter_usage()}", options.text_hint]))
        raise UsageError(f"{hint}-o DIR is needed: images go there, and records to standard output; {usage}")
    if len(options.id_suffixes) != 1:
        raise UsageError(f"-o DIR is needed: one image would become {len(options.id_suffixes)}")
    if sys.stdout.isatty():
        raise UsageError("the image would go to the terminal: redirect it to a file, or name a directory with -o")
    return True


def _make_emitter(stdout: IO[bytes], as_image: bool, text: Show | None) -> Emit:
    if as_image:
        return emit_image(stdout)
    return text(sys.stdout) if text else emit_lines(stdout)


def _handle(stream: BinaryIO) -> int | None:
    """Return the file descriptor of a stream; None if it has none, as in tests."""
    try:
        return stream.fileno()
    except io.UnsupportedOperation:
        return None


def _stdin() -> BinaryIO:
    """Return standard input with a buffer of its own.

    The interpreter aborts at shutdown if it cannot lock ``sys.stdin``, which a thread may still be reading.
    """
    try:
        os.set_blocking(sys.stdin.fileno(), True)  # another process that shares the file may have changed this
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:
        return sys.stdin.buffer
