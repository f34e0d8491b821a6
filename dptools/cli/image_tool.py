"""Build the command line of an image tool from a function that turns its own options into a stage."""

import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO, TypeVar, get_type_hints

import typer

from dptools.cli.engines import make_engine, with_progress
from dptools.cli.entry import check_input, errors_on_one_line, new_app, report
from dptools.cli.options import OPERANDS, Common, Csv, ImageFile, Json, Output, tool_name
from dptools.devices import check_device
from dptools.errors import UsageError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.counting import input_counter
from dptools.pipe.file_formats import SUFFIXES as FILE_SUFFIXES
from dptools.pipe.file_formats import FileOptions, parse_format
from dptools.pipe.progress import progress_is_useful
from dptools.pipe.run import Emit, emit_image, emit_lines, emit_text, run
from dptools.pipe.sniff import InputFormat
from dptools.pipe.source import Source, open_source
from dptools.pipe.stage import ToolOptions
from dptools.pipe.trace import traced
from dptools.pipe.walk import SUFFIXES

Show = Callable[[TextIO], Emit]
"""A function that returns an emitter, which writes text for each record to a stream."""


def image_tool(
    function: Callable[..., ToolOptions],
    show: Show | None = None,
    as_csv: Show | None = None,
    formats: Sequence[str] = (),
) -> typer.Typer:
    """Return the command line of a tool.

    Args:
        function: Returns the :class:`ToolOptions`. Its parameters are the tool's own options, to which the common ones
            are added. Its docstring is the help text.
        show: For a tool that makes no images: writes its records to a terminal, unless ``--json`` is given. None for a
            tool that makes images, which gets the options of :class:`Output` instead.
        as_csv: For a tool that makes no images: writes its records as CSV, if ``--csv`` is given.
        formats: The formats of its images, if these are versions of its inputs. It then gets the options of
            :class:`ImageFile`. Other tools write PNG files.
    """

    def command(ctx: typer.Context, **values: Any) -> None:
        common, output = _take(Common, values), _take(Output, values) if show is None else Output()
        image_file = _take(ImageFile, values) if formats else ImageFile()
        with errors_on_one_line(common.debug):
            text = _choose_text(show, as_csv, values.pop("json"), values.pop("csv")) if show else None
            check_input(ctx, common.operands, "name images or directories, or pipe something in")
            check_device(values["device"])
            options = function(**values)
            stage = CachedFileStage(options, output.out, output.force, _file_options(options, output, image_file))
            raise typer.Exit(_run(stage, common, values["device"], text))

    common = _parameters(Common)
    parameters = {
        "ctx": (typer.Context, inspect.Parameter.empty),
        "operands": common.pop("operands"),
        **{name: (own.annotation, own.default) for name, own in inspect.signature(function).parameters.items()},
        **(_parameters(Output) if show is None else {"json": (Json, False), "csv": (Csv, False)}),
        **(_file_parameters(formats) if formats else {}),
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


def _choose_text(show: Show, as_csv: Show | None, json: bool, csv: bool) -> Show | None:
    """Return what writes the output as text; None for records.

    Raises:
        UsageError: Both formats are requested.
    """
    if json and csv:
        raise UsageError("--json and --csv exclude each other")
    if csv:
        return as_csv
    return show if sys.stdout.isatty() and not json else None


Options = TypeVar("Options", Common, Output, ImageFile)


def _take(kind: type[Options], values: dict[str, Any]) -> Options:
    """Remove the values of these options from the dictionary, and return them as an object."""
    return kind(**{field.name: values.pop(field.name) for field in fields(kind)})


def _parameters(kind: type[Options]) -> dict[str, tuple[Any, Any]]:
    """Return the annotation and the default of each option."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: (hints[field.name], field.default) for field in fields(kind)}


def _file_parameters(formats: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Return the annotations and defaults of the options of ImageFile, with the names of the formats in the help."""
    parameters = _parameters(ImageFile)
    hint, default = parameters["image_format"]
    option = copy(hint.__metadata__[0])
    option.help = option.help.format(", ".join(formats))
    option.metavar = option.metavar if any(":Q" in name for name in formats) else "NAME"
    return {**parameters, "image_format": (Annotated[str, option], default)}


def _file_options(options: ToolOptions, output: Output, image_file: ImageFile) -> FileOptions:
    """Return what output files are like.

    Raises:
        UsageError: The format is unknown, or the tool cannot use it.
    """
    form = parse_format(image_file.image_format)
    if options.lossless_reason and not form.lossless:
        raise UsageError(f"--format {form}: {options.lossless_reason}: choose png or webp, which are lossless")
    return FileOptions(form, image_file.keep_metadata, not output.no_record)


def _run(stage: CachedFileStage, common: Common, device: str, text: Show | None) -> int:
    """Connect source, engine and sink, run the tool, and return the exit status."""
    options, out = stage.options, stage.out
    if common.null and common.input_format not in (None, InputFormat.PATHS):
        raise UsageError(f"-0 is for paths: it cannot be combined with --from {common.input_format}")
    if out:
        _check_directory(out, lossless=bool(options.lossless_reason))
    directories = [*options.extra_directories, *([out] if out else [])]
    stdin, operands = _stdin(), common.operands or []
    count = input_counter(operands, _handle(stdin), common.null, directories)
    source = open_source(operands, stdin, common.input_format, common.null, leave_out=directories)
    if source.empty:
        return 0
    if options.single_image_option and not (source.one_image or _is_one_file(common.operands)):
        raise UsageError(f"{options.single_image_option} is one file, for one image: name a directory")
    as_image = _writes_image_to_stdout(options, out, source)
    engine = make_engine(options, source.one_image, common, device)
    if progress_is_useful() and not common.quiet:
        engine = with_progress(engine, (lambda: 1) if source.one_image else count, options.id_suffixes)
    emit = emit_text(sys.stdout.buffer, options.text) if options.text else _make_emitter(as_image, text)
    with (
        options.collect(emit) as emit_collected,
        traced(emit_collected, options.trace) if options.trace else nullcontext(emit_collected) as emit_all,
    ):
        return run(stage, source.samples, engine, emit_all, report)


def _check_directory(out: Path, lossless: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out}: not a directory")
    if out.suffix.lower() in SUFFIXES and not out.exists():
        raise UsageError(f"-o {out}: expected a directory; for one image: {_filter_usage(out, lossless)}")


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


def _filter_usage(target: Path = Path("OUT.png"), lossless: bool = False) -> str:
    """Return the command that reads one image from standard input and writes one to standard output.

    Args:
        target: The file that the user named. If its suffix is that of another format than PNG, the command selects it.
        lossless: Whether the tool writes only formats without loss.
    """
    name = next((name for name, suffixes in FILE_SUFFIXES.items() if target.suffix.lower() in suffixes), None)
    if name == "png" or (name == "webp" and lossless) or (name and not lossless):
        return f"{tool_name()} {f'--format {name} ' if name != 'png' else ''}< IMAGE > {target}"
    return f"{tool_name()} < IMAGE > {target.with_suffix('.png')}"


def _make_emitter(as_image: bool, text: Show | None) -> Emit:
    if as_image:
        return emit_image(sys.stdout.buffer)
    return text(sys.stdout) if text else emit_lines(sys.stdout.buffer)


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
