"""dp-eval."""

import json as jsonlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

import typer

from dptools.commands.entry import check_input, errors_on_one_line, new_app, report
from dptools.commands.entry import main as run
from dptools.commands.options import Debug, Json, Version
from dptools.errors import UsageError
from dptools.evaluation.metrics import evaluate
from dptools.evaluation.table import table
from dptools.pipe.run import complaint, printable
from dptools.pipe.sample import Sample
from dptools.pipe.source import read_jsonl


def evaluate_records(
    ctx: typer.Context,
    operands: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECORDS|-", help="JSON Lines files. Without any, stdin is read."),
    ] = None,
    json: Json = False,
    as_table: Annotated[bool, typer.Option("--table", help="A table in a pipe too.")] = False,
    debug: Debug = False,
    show_version: Version = False,
) -> None:
    """Count what became of a stream of records: accuracy before and after, by attack, with 95 % intervals."""
    with errors_on_one_line(debug):
        check_input(ctx, operands, "name files of records, or pipe them in")
        if json and as_table:
            raise UsageError("--json and --table exclude each other")
        groups = evaluate(sample.record for sample in _samples(operands or ["-"]))
        if json or not (as_table or sys.stdout.isatty()):
            typer.echo(jsonlib.dumps({"groups": [group.as_json() for group in groups]}))
        else:
            for group in groups:
                group.name = printable(group.name)
            typer.echo(table(groups))
        raise typer.Exit(1 if any(group.counts["failed"] for group in groups) else 0)


def _samples(files: list[str]) -> Iterator[Sample]:
    for name in files:
        with _open(name) as stream:
            for sample in read_jsonl(stream, name="stdin" if name == "-" else name):
                if sample.failed and not sample.reported:
                    report(complaint(sample))
                yield sample


def _open(name: str) -> BinaryIO:
    try:
        return sys.stdin.buffer if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None


app = new_app(evaluate_records)


def main() -> NoReturn:
    run(app)
