"""dp-eval."""

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dptools.cli.entry import check_input, errors_on_one_line, new_app, report
from dptools.cli.entry import main as run
from dptools.cli.options import Debug, Version
from dptools.errors import UsageError
from dptools.evaluation import table
from dptools.evaluation.gating import THRESHOLD
from dptools.evaluation.keys import NONE
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import Summary
from dptools.pipe.record import dump
from dptools.pipe.run import put
from dptools.tools.evaluate.reading import Evaluating, open_image, write_figures, write_file

if TYPE_CHECKING:
    from dptools.tools.evaluate.map_scores import MapScores


class OutputFormat(StrEnum):
    """What is written to standard output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def evaluate_records(
    ctx: typer.Context,
    operands: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECORDS|-", hidden=True),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="KEY", help="attack, method, or the path of any key: denoise.stop.rule.")
    ] = "attack",
    trace: Annotated[
        list[Path] | None, typer.Option("--trace", metavar="FILE", help="Trace of dp-denoise; may be given again.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="Records of the same ids, to be paired.")
    ] = None,
    attacked: Annotated[
        Path | None, typer.Option("--attacked", metavar="FILE", help="Records before restoration, for figures.")
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option("--maps", metavar="GROUNDTRUTH", help="GeoJSON of the words on a map, or a directory of such."),
    ] = None,
    gate: Annotated[
        float, typer.Option("--gate", min=0, max=1, metavar="T", help="The suspicion at which a gate restores.")
    ] = THRESHOLD,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Draw figures there, as PNG and SVG.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML report of one file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON on a terminal too.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A line a group, for a spreadsheet.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables for Markdown.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="A table in a pipe too.")] = False,
    debug: Debug = False,
    show_version: Version = False,
) -> None:
    """Count what became of a stream of records: accuracy before and after, by attack, with 95 % intervals.

    Records are files of JSON Lines. Without any, stdin is read.
    """
    with errors_on_one_line(debug):
        check_input(ctx, operands, "name files of records, or pipe them in")
        form = _form(
            {
                OutputFormat.JSON: json,
                OutputFormat.CSV: csv,
                OutputFormat.MARKDOWN: markdown,
                OutputFormat.TABLE: as_table,
            }
        )
        if report_file == Path("-"):
            raise UsageError("--report - : standard output is for the figures; name a file")
        if maps and (form is OutputFormat.CSV or report_file):
            raise UsageError("--maps is for tables and JSON: not with --csv or --report")
        broken: list[str] = []
        scores = _map_scores(maps, broken)
        summary = Evaluating(by, tuple(trace or ()), compare, attacked, broken.append, scores, gate)(operands or ["-"])
        for line in broken:
            report(line)
        _warn(summary, scores)
        _draw(summary, figures, report_file)
        put(sys.stdout.buffer, f"{_text(summary, form, scores)}\n".encode())
        raise typer.Exit(1 if summary.failed or broken else 0)


def _form(wanted: dict[OutputFormat, bool]) -> OutputFormat:
    named = [form for form, given in wanted.items() if given]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(f'--{form}' for form in named)} exclude each other")
    return named[0] if named else OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON


def _warn(summary: Summary, scores: "MapScores | None") -> None:
    if summary.by not in ("attack", "method") and set(summary.groups) == {NONE}:
        report(f"--by {summary.by}: no record has this key")
    groups = summary.all_groups
    if not scores and any(group.judged for group in groups) and not _has_rates(groups):
        report("no record tells a true class, so none is right or wrong: see --label and --label-from of dp-attack")


def _draw(summary: Summary, figures: Path | None, report_file: Path | None) -> None:
    if not (figures or report_file):
        return
    from dptools.evaluation.gallery import gallery
    from dptools.evaluation.report import report as html

    drawings = list(gallery(summary, open_image))
    if not drawings:
        report("nothing in these records can be drawn")
    if figures:
        write_figures(drawings, figures)
    if report_file:
        write_file(report_file, html(summary, drawings).encode())


def _map_scores(maps: Path | None, broken: list[str]) -> "MapScores | None":
    if maps is None:
        return None
    from dptools.tools.evaluate.map_scores import MapScores

    return MapScores(maps, broken.append)


def _text(summary: Summary, form: OutputFormat, scores: "MapScores | None") -> str:
    groups = summary.all_groups
    if form is OutputFormat.JSON:
        return dump(summary.as_json() | ({"maps": scores.as_json()} if scores else {}))
    if form is OutputFormat.CSV:
        return table.as_csv(groups, summary.by)
    tables = [*_tables(summary, scores)] or [table.rate_rows(groups, summary.by)]
    first, *more = map(table.markdown if form is OutputFormat.MARKDOWN else table.plain, tables)
    lines = "\n".join(table.left_out(groups))
    apart = "\n\n" if form is OutputFormat.MARKDOWN else "\n"
    return "\n\n".join([f"{first}{apart}{lines}" if lines else first, *more])


def _tables(summary: Summary, scores: "MapScores | None") -> Iterator[table.Rows]:
    groups = summary.all_groups
    if scores:
        yield from scores.tables()
    if not scores or _has_rates(groups):
        yield table.rate_rows(groups, summary.by)
    yield from filter(None, (table.stop_rows(groups, summary.by), table.error_rows(summary.courses)))
    if summary.gating:
        yield table.suspicion_rows(summary.gating)
        yield from filter(_has_rows, [table.gate_rows(summary.gating)])
    if summary.comparison:
        yield table.comparison_rows(summary.comparison)


def _has_rates(groups: Iterable[Group]) -> bool:
    return any(group.rate(name).n for group in groups for name in table.RATES)


def _has_rows(rows: table.Rows) -> bool:
    return len(rows) > 1


app = new_app(evaluate_records)


def main() -> NoReturn:
    run(app)
