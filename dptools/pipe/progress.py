"""A progress bar, for people only: on standard error when that is a terminal, and never in the way of a pipe."""

import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from dptools.pipe.sample import Sample
from dptools.texts import printable


def wanted() -> bool:
    """Standard error is a terminal, and standard output is neither one (its lines show the progress) nor a pipe,
    whose far end draws the bar: several tools drawing on one terminal would overwrite each other."""
    return sys.stderr.isatty() and not sys.stdout.isatty() and not stat.S_ISFIFO(os.fstat(1).st_mode)


class _Notes(logging.Handler):
    """Shows what a worker tells while an image takes long."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        self.show(printable(record.getMessage())[-60:])


@contextmanager
def _shown(show: Callable[[str], None]) -> Iterator[None]:
    logger, handler = logging.getLogger("dptools"), _Notes(show)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def progress(samples: Iterable[Sample], title: str) -> Iterator[Sample]:
    """The samples, counted on standard error as they pass."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn(
            "{task.description}  {task.completed:g} done  {task.fields[failed]}{task.fields[last]}", markup=False
        ),
        TimeElapsedColumn(),
    )
    failed = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, failed="", last="")
        with _shown(lambda text: bar.update(task, last=text)):
            for sample in samples:
                failed += sample.failed
                bar.update(
                    task, advance=1, failed=f"{failed} failed  " if failed else "", last=printable(sample.id)[-40:]
                )
                yield sample
