"""An image tool out of a function that turns options into a stage."""

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

from dptools.cli.engines import engine_of, with_progress
from dptools.cli.entry import check_input, errors_on_one_line, new_app, report
from dptools.cli.options import OPERANDS, Common, Json, Output, tool_name
from dptools.devices import check_device
from dptools.errors import UsageError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.progress import wanted
from dptools.pipe.run import Emit, emit_image, emit_lines, emit_text, run
from dptools.pipe.sniff import InputFormat
from dptools.pipe.source import open_source
from dptools.pipe.stage import ToolOptions
from dptools.pipe.trace import traced
from dptools.pipe.walk import SUFFIXES

Show = Callable[[TextIO], Emit]
"""Puts records out for people to read."""


def image_tool(function: Callable[..., ToolOptions], show: Show | None = None) -> typer.Typer:
    """The tool whose own options are the function's parameters; the common options come with it.

    Args:
        function: options to a stage; its docstring is the help.
        show: for a tool whose results are records, how they look on a terminal, where ``--json`` asks for the records
            themselves; None for a tool that makes images, which gets the options of :class:`Output`.
    """

    def command(ctx: typer.Context, **values: Any) -> None:
        common, output = _take(Common, values), _take(Output, values) if show is None else Output()
        people = show if show and not values.pop("json") and sys.stdout.isatty() else None
        with errors_on_one_line(common.debug):
            check_input(ctx, common.operands, "name images or directories, or pipe something in")
            check_device(values["device"])
            raise typer.Exit(_run(function(**values), common, output, values["device"], people))

    common = _parameters(Common)
    parameters = {
        "ctx": (typer.Context, inspect.Parameter.empty),
        "operands": common.pop("operands"),
        **{name: (each.annotation, each.default) for name, each in inspect.signature(function).parameters.items()},
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
    """These options, taken out of the values of all."""
    return kind(**{field.name: values.pop(field.name) for field in fields(kind)})


def _parameters(kind: type[Common] | type[Output]) -> dict[str, tuple[Any, Any]]:
    """Each option's annotation and default."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: (hints[field.name], field.default) for field in fields(kind)}


def _run(stage: ToolOptions, common: Common, output: Output, device: str, people: Show | None) -> int:
    if common.null and common.form not in (None, InputFormat.PATHS):
        raise UsageError(f"-0 is for paths, and --from {common.form} for something else")
    if output.out and output.out.exists() and not output.out.is_dir():
        raise UsageError(f"-o {output.out}: not a directory")
    if output.out and output.out.suffix.lower() in SUFFIXES and not output.out.exists():
        raise UsageError(f"-o {output.out}: a directory is wanted; for one image: {_through(output.out)}")
    written = [*stage.directories, *([output.out] if output.out else [])]
    source = open_source(common.operands or [], _stdin(), common.form, common.null, leave_out=written)
    if source.empty:
        return 0
    if stage.for_one and not (source.one_image or _one_file(common.operands)):
        raise UsageError(f"{stage.for_one} is one file, for one image: name a directory")
    as_image = stage.makes_images and source.one_image and output.out is None and stage.text is None
    if stage.makes_images and output.out is None and stage.text is None:
        _check_output(stage, as_image, source.form)
    engine = engine_of(stage, source.one_image, common, device)
    if wanted() and not common.quiet:
        engine = with_progress(engine)
    filed = CachedFileStage(stage, output.out, output.force)
    emit = emit_text(sys.stdout.buffer, stage.text) if stage.text else _emit(as_image, people)
    with traced(emit, stage.trace, stage.key) if stage.trace else nullcontext(emit) as put:
        return run(filed, source.samples, engine, put, report)


def _one_file(operands: list[str] | None) -> bool:
    return len(operands or []) == 1 and not os.path.isdir((operands or [""])[0])


def _check_output(stage: ToolOptions, as_image: bool, form: InputFormat | None) -> None:
    if not as_image:
        taken = "standard input is no image and was taken for paths; " if form is InputFormat.PATHS else ""
        raise UsageError(
            f"{taken}-o DIR is needed: images go there, and records to standard output; for one image: {_through()}"
        )
    if len(stage.variants) != 1:
        raise UsageError(f"-o DIR is needed: one image would become {len(stage.variants)}")
    if sys.stdout.isatty():
        raise UsageError("the image would go to the terminal: redirect it to a file, or name a directory with -o")


def _through(target: Path = Path("OUT.png")) -> str:
    """How one image goes in and out."""
    return f"{tool_name()} < IMAGE > {target}"


def _emit(as_image: bool, people: Show | None) -> Emit:
    if as_image:
        return emit_image(sys.stdout.buffer)
    return people(sys.stdout) if people else emit_lines(sys.stdout.buffer)


def _stdin() -> BinaryIO:
    """Standard input, by a reader of its own: a thread may still be waiting in it when the interpreter shuts down."""
    try:
        os.set_blocking(sys.stdin.fileno(), True)  # what shares it may have set it otherwise
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:
        return sys.stdin.buffer
