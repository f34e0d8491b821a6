"""Build the command line of an image tool from a function that turns its own options into a stage."""

import inspect
import io
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar, get_type_hints

import typer

from dptools.cli.engines import make_engine, with_progress
from dptools.cli.entry import check_input, errors_on_one_line, new_app, report
from dptools.cli.options import OPERANDS, Common, Json, Output, tool_name
from dptools.devices import check_device
from dptools.errors import UsageError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.progress import progress_is_useful
from dptools.pipe.run import Emit, emit_image, emit_lines, emit_text, run
from dptools.pipe.sniff import InputFormat
from dptools.pipe.source import Source, open_source
from dptools.pipe.stage import ToolOptions
from dptools.pipe.trace import traced
from dptools.pipe.walk import SUFFIXES

Show = Callable[[TextIO], Emit]
"""A function that returns an emitter, which writes readable text for each record to a terminal."""


def image_tool(function: Callable[..., ToolOptions], show: Show | None = None) -> typer.Typer:
    """Return the command line of a tool.

    Args:
        function: Returns the :class:`ToolOptions`. Its parameters are the tool's own options, to which the common ones
            are added. Its docstring is the help text.
        show: For a tool that makes no images: writes its records to a terminal, unless ``--json`` is given. None for a
            tool that makes images, which gets the options of :class:`Output` instead.
    """

    def command(ctx: typer.Context, **values: Any) -> None:
        common, output = _take(Common, values), _take(Output, values) if show is None else Output()
        for_people = show if show and not values.pop("json") and sys.stdout.isatty() else None
        with errors_on_one_line(common.debug):
            check_input(ctx, common.operands, "name images or directories, or pipe something in")
            check_device(values["device"])
            raise typer.Exit(_run(function(**values), common, output, values["device"], for_people))

    common = _parameters(Common)
    parameters = {
        "ctx": (typer.Context, inspect.Parameter.empty),
        "operands": common.pop("operands"),
        **{name: (own.annotation, own.default) for name, own in inspect.signature(function).parameters.items()},
        **(_parameters(Output) if show is None else {"json": (Json, False)}),
        **common,
    }
    command.__doc__ = f"{function.__doc__}\n\n{OPERANDS}"
    command.__annotations__ = {name: hint for name, (hint, _) in parameters.items()}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
            for name, (hint, default) in parameters.items()
        ]
    )
    return new_app(command)


Options = TypeVar("Options", Common, Output)


def _take(kind: type[Options], values: dict[str, Any]) -> Options:
    """Remove the values of these options from the dictionary, and return them as an object."""
    return kind(**{field.name: values.pop(field.name) for field in fields(kind)})


def _parameters(kind: type[Common] | type[Output]) -> dict[str, tuple[Any, Any]]:
    """Return the annotation and the default of each option."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: (hints[field.name], field.default) for field in fields(kind)}


def _run(options: ToolOptions, common: Common, output: Output, device: str, for_people: Show | None) -> int:
    """Connect source, engine and sink, run the tool, and return the exit status."""
    if common.null and common.input_format not in (None, InputFormat.PATHS):
        raise UsageError(f"-0 is for paths: it cannot be combined with --from {common.input_format}")
    if output.out:
        _check_directory(output.out)
    directories = [*options.extra_directories, *([output.out] if output.out else [])]
    source = open_source(common.operands or [], _stdin(), common.input_format, common.null, leave_out=directories)
    if source.empty:
        return 0
    if options.single_image_reason and not (source.one_image or _is_one_file(common.operands)):
        raise UsageError(options.single_image_reason)
    as_image = _writes_image_to_stdout(options, output.out, source)
    engine = make_engine(options, source.one_image, common, device)
    if progress_is_useful() and not common.quiet:
        engine = with_progress(engine)
    stage = CachedFileStage(options, output.out, output.force)
    emit = emit_text(sys.stdout.buffer, options.text) if options.text else _make_emitter(as_image, for_people)
    with traced(emit, options.trace) if options.trace else nullcontext(emit) as emit_all:
        return run(stage, source.samples, engine, emit_all, report)


def _check_directory(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out}: not a directory")
    if out.suffix.lower() in SUFFIXES and not out.exists():
        raise UsageError(f"-o {out}: expected a directory; for one image: {_filter_usage(out)}")


def _is_one_file(operands: list[str] | None) -> bool:
    return len(operands or []) == 1 and not os.path.isdir((operands or [""])[0])


def _writes_image_to_stdout(options: ToolOptions, out: Path | None, source: Source) -> bool:
    """Return whether standard output gets the image instead of records.

    Raises:
        UsageError: ``-o`` is not given, and standard output cannot take the images.
    """
    if not options.makes_images or out is not None or options.text is not None:
        return False
    if not source.one_image:
        hint = "standard input is not an image and was read as paths; " if source.form is InputFormat.PATHS else ""
        raise UsageError(
            f"{hint}-o DIR is needed: images go there, and records to standard output; for one image: {_filter_usage()}"
        )
    if len(options.id_suffixes) != 1:
        raise UsageError(f"-o DIR is needed: one image would become {len(options.id_suffixes)}")
    if sys.stdout.isatty():
        raise UsageError("the image would go to the terminal: redirect it to a file, or name a directory with -o")
    return True


def _filter_usage(target: Path = Path("OUT.png")) -> str:
    """Return the command that reads one image from standard input and writes one to standard output."""
    return f"{tool_name()} < IMAGE > {target}"


def _make_emitter(as_image: bool, for_people: Show | None) -> Emit:
    if as_image:
        return emit_image(sys.stdout.buffer)
    return for_people(sys.stdout) if for_people else emit_lines(sys.stdout.buffer)


def _stdin() -> BinaryIO:
    """Return standard input with a buffer of its own.

    The interpreter aborts at shutdown if it cannot lock ``sys.stdin``, which a thread may still be reading.
    """
    try:
        os.set_blocking(sys.stdin.fileno(), True)  # another process that shares the file may have changed this
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:
        return sys.stdin.buffer
