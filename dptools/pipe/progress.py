"""A progress bar, for people only: on standard error when that is a terminal, and never in the way of a pipe."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator

from dptools.pipe.sample import Sample


def wanted() -> bool:
    """Standard error is a terminal, and standard output is neither one (its lines show the progress) nor a pipe,
    whose far end draws the bar: several tools drawing on one terminal would overwrite each other."""
    return sys.stderr.isatty() and not sys.stdout.isatty() and not stat.S_ISFIFO(os.fstat(1).st_mode)


def progress(samples: Iterable[Sample], title: str) -> Iterator[Sample]:
    """The samples, counted on standard error as they pass."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}  {task.completed:g} done  {task.fields[failed]}{task.fields[last]}"),
        TimeElapsedColumn(),
    )
    failed = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, failed="", last="")
        for sample in samples:
            failed += sample.failed
            bar.update(task, advance=1, failed=f"{failed} failed  " if failed else "", last=sample.id[-40:])
            yield sample
