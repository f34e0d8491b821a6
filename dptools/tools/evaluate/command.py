"""The command line of dp-eval."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dptools.cli.entry import check_input, errors_on_one_line, new_app, report
from dptools.cli.entry import main as run
from dptools.cli.options import Debug, Version
from dptools.cli.output_checks import check_writable
from dptools.errors import UsageError
from dptools.evaluation.adaptive import evaluations, warnings
from dptools.evaluation.certified import RADII
from dptools.evaluation.figure_options import FigureOptions
from dptools.evaluation.gating import THRESHOLD
from dptools.evaluation.keys import ATTACK, NONE
from dptools.evaluation.summary import Summary
from dptools.pipe.run import put
from dptools.texts import parse_number
from dptools.tools.evaluate.files import read_image, write_figures, write_file
from dptools.tools.evaluate.output import OutputFormat, choose_format, format_summary, has_rates
from dptools.tools.evaluate.reading import EvaluationInputs

if TYPE_CHECKING:
    from dptools.tools.evaluate.map_scores import MapScores


NO_RATES = (
    "no record has predicted classes and a true label, so there are no rates: "
    "classify the images with dp-classify; if they have no label, use --label or --label-from of dp-attack"
)

RECORD_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv")
"""Suffixes of files with records, of which a glob after ``--report`` would replace the first."""

MAX_PROBLEMS = 20
"""Number of problems with records that are reported one by one."""


def evaluate_records(
    ctx: typer.Context,
    operands: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECORDS|-", hidden=True),
    ] = None,
    by: Annotated[
        list[str],
        typer.Option(
            "--by", metavar="KEY", help="Group by attack, method, or a key such as attack.epsilon; repeatable."
        ),
    ] = [ATTACK],  # noqa: B006  # typer copies it
    trace: Annotated[
        list[Path] | None, typer.Option("--trace", metavar="FILE", help="Trace of dp-denoise; can be repeated.")
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", metavar="FILE", help="Compare with these records of the same ids; repeatable."),
    ] = None,
    attacked: Annotated[
        Path | None, typer.Option("--attacked", metavar="FILE", help="Records before purification, for figures.")
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option("--maps", metavar="GROUNDTRUTH", help="GeoJSON of the words on a map, or a directory of these."),
    ] = None,
    gate: Annotated[
        float | None,
        typer.Option(
            "--gate",
            min=0,
            max=1,
            metavar="T",
            help=f"Gate: images with a suspicion of T or more are suspicious.  [default: {THRESHOLD:g}]",
        ),
    ] = None,
    radii: Annotated[
        str | None,
        typer.Option("--radii", metavar="R,...", help="Radii of certified accuracy.  [default: 0.25,0.5,1]"),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write figures to DIR, as PNG and SVG by default.")
    ] = None,
    figure_formats: Annotated[
        list[str] | None,
        typer.Option("--figure-format", metavar="NAME", help="Format of figures: png, svg or pdf; repeatable."),
    ] = None,
    style: Annotated[
        str, typer.Option("--style", metavar="NAME", help="Style of figures: screen, or paper (one column).")
    ] = FigureOptions.style,
    no_published: Annotated[
        bool, typer.Option("--no-published", help="Leave results of the literature out of figures and report.")
    ] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write a self-contained HTML report.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON, even on a terminal.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV, one line per group.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write tables in Markdown.")] = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Write certificates as in the logs of Cohen et al.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="Write tables, even into a pipe.")] = False,
    debug: Debug = False,
    show_version: Version = False,
) -> None:
    """Summarise records: accuracy before and after purification, by attack, with 95 % intervals.

    Operands are files of records: JSON Lines, or CSV with a header. Without operands, stdin is read.
    """
    with errors_on_one_line(debug):
        check_input(ctx, operands, "name files of records, or pipe records in")
        output_format = choose_format(
            {
                OutputFormat.JSON: json,
                OutputFormat.CSV: csv,
                OutputFormat.MARKDOWN: markdown,
                OutputFormat.TSV: tsv,
                OutputFormat.TABLE: as_table,
            }
        )
        _check_places(figures, report_file)
        options = _figure_options(figure_formats, style, no_published, figures)
        if maps and (output_format is OutputFormat.CSV or report_file):
            raise UsageError("--maps cannot be combined with --csv or --report")
        problems: list[str] = []
        scores = _map_scores(maps, problems)
        inputs = EvaluationInputs(
            tuple(by),
            problems.append,
            report,
            tuple(trace or ()),
            tuple(compare or ()),
            attacked,
            scores,
            THRESHOLD if gate is None else gate,
            _radii(radii),
        )
        summary = inputs.summarise(operands or ["-"])
        _report_problems(problems)
        _warn(summary, scores)
        if gate is not None and not summary.gate:
            report(f"--gate {gate:g} has no effect: no record has a suspicion; dp-classify --suspect adds it")
        if scores and not scores.maps:
            report(f"--maps {maps} has no effect: no record is of a map of dp-mapsext")
        _write_files(summary, figures, report_file, options)
        put(sys.stdout.buffer, f"{format_summary(summary, output_format, scores)}\n".encode())
        raise typer.Exit(1 if summary.failed or problems else 0)


def _check_places(figures: Path | None, report_file: Path | None) -> None:
    """Check that figures and the report can be written, before records are read, which may take hours in a pipeline.

    Raises:
        UsageError: They cannot, or the report would replace a file of records.
    """
    if figures:
        check_writable(figures, f"--figures {figures}")
    if report_file == Path("-"):
        raise UsageError("--report -: a report cannot be written to standard output: name a file")
    if report_file and report_file.suffix.lower() in RECORD_SUFFIXES:
        raise UsageError(f"--report {report_file}: a report is HTML, and would replace records: name FILE.html first")
    if report_file and (report_file.is_file() or not report_file.exists()):
        check_writable(report_file.resolve().parent, f"--report {report_file}")


def _radii(text: str | None) -> tuple[float, ...]:
    """Return the radii that a list such as 0.25,0.5 names, in increasing order."""
    if text is None:
        return RADII
    try:
        radii = {parse_number(part) for part in text.split(",")}
    except ValueError:
        radii = {-1.0}
    if not all(0 <= radius < float("inf") for radius in radii):
        raise UsageError(f"--radii {text}: give numbers from 0 on the [0, 1] scale, such as 0.25,0.5,1")
    return tuple(sorted(radii))


def _map_scores(ground_truth: Path | None, problems: list[str]) -> "MapScores | None":
    if ground_truth is None:
        return None
    if not ground_truth.exists():
        raise UsageError(f"--maps {ground_truth}: no such file or directory")
    from dptools.tools.evaluate.map_scores import MapScores

    return MapScores(ground_truth, problems.append)


def _report_problems(problems: Sequence[str]) -> None:
    """Report problems with records; only the first ones, because a wrong file can have one in each line."""
    for problem in problems[:MAX_PROBLEMS]:
        report(problem)
    if more := len(problems[MAX_PROBLEMS:]):
        report(f"{more:,} more problem{'s' * (more > 1)} with records")


def _warn(summary: Summary, scores: "MapScores | None") -> None:
    if not {ATTACK, "method"}.intersection(summary.by) and set(summary.groups) == {", ".join([NONE] * len(summary.by))}:
        report(f"--by {summary.title}: no record has this key")
    for evaluation in evaluations(summary.robustness):
        about = "" if evaluation.name == evaluation.through else f"{evaluation.name}: "
        for warning in warnings(evaluation):
            report(f"{about}{warning}")
    if len(methods := summary.gate.methods) > 1:
        report(f"suspicion and gating combine the records of {', '.join(methods)}: evaluate one method at a time")
    groups = summary.all_groups
    if not scores and any(group.scored for group in groups) and not has_rates(groups):
        report(NO_RATES)


def _figure_options(formats: list[str] | None, style: str, no_published: bool, figures: Path | None) -> FigureOptions:
    if formats and not figures:
        raise UsageError(f"--figure-format {formats[0]} needs --figures DIR")
    unique = tuple(dict.fromkeys(name.lower() for name in formats or FigureOptions.formats))
    return FigureOptions(unique, style, not no_published)


def _write_files(summary: Summary, figures: Path | None, report_file: Path | None, options: FigureOptions) -> None:
    if not (figures or report_file):
        return
    from dptools.evaluation.gallery import gallery
    from dptools.evaluation.report import report as html_report

    drawings = gallery(summary, read_image, options)
    if not drawings:
        report("the records have no data for any figure")
    if figures:
        write_figures(drawings, figures, options.formats)
    if report_file:
        write_file(report_file, html_report(summary, drawings, published=options.published).encode())


app = new_app(evaluate_records)


def main() -> NoReturn:
    """Run dp-eval and exit."""
    run(app)
