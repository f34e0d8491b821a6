"""Build the command line of an image tool from a function that turns its own options into a stage."""

import inspect
import sys
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from dptools.cli.entry import check_input, errors_on_one_line, new_app
from dptools.cli.options import OPERANDS, Common, Csv, ImageFile, Json, NoOutput, Output, tool_name
from dptools.cli.running import Show, run_tool
from dptools.devices import check_device
from dptools.errors import UsageError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.file_formats import FileOptions, parse_format
from dptools.pipe.stage import ToolOptions

TEXT_PARAMETERS: dict[str, tuple[Any, Any]] = {"json": (Json, False), "csv": (Csv, False), "out": (NoOutput, None)}
"""The annotations and defaults of the additional options of tools that make no images."""


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
        no_output = values.pop("out") if show else None
        with errors_on_one_line(common.debug):
            if no_output:
                raise UsageError(f"-o is for tools that make images; for the records: {tool_name()} ... > FILE.jsonl")
            text = _choose_text(show, as_csv, values.pop("json"), values.pop("csv")) if show else None
            check_input(ctx, common.operands, "name images or directories, or pipe something in")
            check_device(values["device"])
            options = function(**values)
            stage = CachedFileStage(options, output.out, output.force, _file_options(options, output, image_file))
            raise typer.Exit(run_tool(stage, common, values["device"], text))

    common = _parameters(Common)
    parameters = {
        "ctx": (typer.Context, inspect.Parameter.empty),
        "operands": common.pop("operands"),
        **{name: (own.annotation, own.default) for name, own in inspect.signature(function).parameters.items()},
        **(_parameters(Output) if show is None else TEXT_PARAMETERS),
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
