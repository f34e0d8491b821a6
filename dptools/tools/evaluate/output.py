"""Format a summary for standard output."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from dptools.errors import UsageError
from dptools.evaluation import table
from dptools.evaluation.adaptive import evaluations
from dptools.evaluation.formatting import Rows, markdown, plain
from dptools.evaluation.keys import NONE
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import Summary
from dptools.pipe.record import dump

if TYPE_CHECKING:
    from dptools.tools.evaluate.map_scores import MapScores


class OutputFormat(StrEnum):
    """The format of standard output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    TSV = "tsv"


def choose_format(options: Mapping[OutputFormat, bool]) -> OutputFormat:
    """Return the requested format; without one, a table on a terminal and JSON otherwise.

    Args:
        options: Whether the option of each format was given.

    Raises:
        UsageError: More than one was given.
    """
    requested = [output_format for output_format, is_set in options.items() if is_set]
    if len(requested) > 1:
        raise UsageError(f"{' and '.join(f'--{name}' for name in requested)} exclude each other")
    if requested:
        return requested[0]
    return OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON


def format_summary(summary: Summary, output_format: OutputFormat, scores: "MapScores | None") -> str:
    """Return a summary and the scores of maps as text."""
    groups = summary.all_groups
    if output_format is OutputFormat.JSON:
        return dump(summary.as_json() | ({"maps": scores.as_json()} if scores else {}))
    if output_format is OutputFormat.CSV:
        return table.as_csv(groups, summary.title)
    if output_format is OutputFormat.TSV:
        return summary.certificates.as_tsv()
    as_markdown = output_format is OutputFormat.MARKDOWN
    tables = [*_tables(summary, scores)] or [table.rate_rows(groups, summary.title)]
    first, *others = map(markdown if as_markdown else plain, tables)
    excluded = "\n".join(table.excluded(groups))
    if excluded:  # in Markdown, only an empty line ends a table
        first += ("\n\n" if as_markdown else "\n") + excluded
    return "\n\n".join([first, *others])


def has_rates(groups: Iterable[Group]) -> bool:
    """Return whether any rate of any group has n > 0."""
    return any(group.rate(name).n for group in groups for name in table.RATES)


def _tables(summary: Summary, scores: "MapScores | None") -> Iterator[Rows]:
    """Yield the tables that have rows. Without map scores, the table of rates is yielded even without rows."""
    groups = summary.all_groups
    if scores:
        yield from scores.tables()
    if not scores or has_rates(groups):
        yield table.rate_rows(groups, summary.title)
    yield from filter(None, (table.stop_rows(groups, summary.title), table.error_rows(summary.curves)))
    if summary.gate:
        yield table.suspicion_rows(summary.gate)
        gate_rows = table.gate_rows(summary.gate)
        if len(gate_rows) > 1:
            yield gate_rows
    if summary.comparisons:
        yield table.comparison_rows(summary.comparisons)
    if summary.certificates:
        yield table.certified_rows(summary.certificates)
    if summary.robustness:
        yield table.robustness_rows(summary.robustness)
        defended = (found for found in evaluations(summary.robustness) if found.through != NONE)
        yield from map(table.checklist_rows, defended)
