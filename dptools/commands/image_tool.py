"""An image tool out of a function that turns options into a stage."""

import inspect
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any, BinaryIO, TextIO, get_type_hints

import typer

from dptools.commands.entry import errors_on_one_line, new_app, report
from dptools.commands.options import Common, Json
from dptools.devices import check_device
from dptools.engine import Engine
from dptools.errors import UsageError
from dptools.pipe.filed import Filed
from dptools.pipe.progress import progress, wanted
from dptools.pipe.run import Emit, emit_image, emit_lines, run
from dptools.pipe.sample import Sample
from dptools.pipe.source import Source, open_source
from dptools.pipe.stage import Stage, ToolStage

Show = Callable[[TextIO], Emit]
"""Puts records out for people to read."""


def image_tool(function: Callable[..., ToolStage], show: Show | None = None) -> typer.Typer:
    """The tool whose own options are the function's parameters; the common options come with it.

    Args:
        function: options to a stage; its docstring is the help.
        show: how results look on a terminal; JSON Lines there too if not given. Adds ``--json``.
    """

    def command(ctx: typer.Context, **values: Any) -> None:
        common = Common(**{field.name: values.pop(field.name) for field in fields(Common)})
        people = show if show and not values.pop("json", False) and sys.stdout.isatty() else None
        with errors_on_one_line(common.debug):
            _check_input(ctx, common)
            device = check_device(values["device"])
            raise typer.Exit(_run(function(**values), common, device, people))

    own = inspect.signature(function).parameters
    shared = {field.name: (hint, field.default) for field, hint in zip(fields(Common), _hints(), strict=True)}
    parameters = {
        "ctx": (typer.Context, inspect.Parameter.empty),
        "operands": shared.pop("operands"),
        **{name: (parameter.annotation, parameter.default) for name, parameter in own.items()},
        **({"json": (Json, False)} if show else {}),
        **shared,
    }
    command.__doc__ = function.__doc__
    command.__annotations__ = {name: hint for name, (hint, _) in parameters.items()}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
            for name, (hint, default) in parameters.items()
        ]
    )
    return new_app(command)


def _hints() -> Iterable[Any]:
    return get_type_hints(Common, include_extras=True).values()


def _check_input(ctx: typer.Context, common: Common) -> None:
    if not common.operands and sys.stdin.isatty():
        sys.stderr.write(ctx.get_usage() + "\n")
        raise UsageError("no input: name images or directories, or pipe something in")


def _run(stage: ToolStage, common: Common, device: str, people: Show | None) -> int:
    source = open_source(common.operands or [], _stdin(), common.form, common.null)
    as_image = stage.makes_images and source.one_image and common.out is None
    if stage.makes_images and common.out is None and not as_image:
        raise UsageError("-o DIR is needed: images go there, and records to standard output")
    if as_image and sys.stdout.isatty():
        raise UsageError("the image would go to the terminal: redirect it to a file, or name a directory with -o")
    engine = _engine(source, common, device)
    if wanted() and not common.quiet:
        engine = _with_progress(engine)
    emit = _emit(as_image, people)
    return run(Filed(stage, common.out, common.force), source.samples, engine, emit, report)


def _emit(as_image: bool, people: Show | None) -> Emit:
    if as_image:
        return emit_image(sys.stdout.buffer)
    return people(sys.stdout) if people else emit_lines(sys.stdout.buffer)


def _engine(source: Source, common: Common, device: str) -> Engine:
    if source.one_image:
        from dptools.engine.inline import inline

        return inline
    from dptools.engine.local import Local

    gpu = device.startswith("cuda") or (device == "auto" and os.path.exists("/dev/nvidia0"))
    jobs = common.jobs or (1 if gpu else len(os.sched_getaffinity(0)))
    return Local(jobs, common.batch_size or (32 if gpu else 1), ordered=not common.unordered)


def _with_progress(engine: Engine) -> Engine:
    def engine_with_progress(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        return progress(engine(stage, samples), stage.tool)

    return engine_with_progress


def _stdin() -> BinaryIO:
    """Standard input, by a reader of its own: a thread may still be waiting in it when the interpreter shuts down."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:
        return sys.stdin.buffer
