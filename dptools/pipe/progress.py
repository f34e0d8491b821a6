"""Show a progress bar on standard error, if that is a terminal."""

import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from dptools.pipe.sample import Sample
from dptools.texts import printable


def progress_is_useful() -> bool:
    """Return whether standard error is a terminal and nothing else shows the progress.

    If standard output is a terminal, its lines show the progress. If it is a pipe, the last tool of the pipe draws the
    bar; several bars on one terminal would overwrite each other.
    """
    return sys.stderr.isatty() and not sys.stdout.isatty() and not stat.S_ISFIFO(os.fstat(1).st_mode)


def progress(samples: Iterable[Sample], title: str) -> Iterator[Sample]:
    """Yield the samples, and count them on standard error.

    Args:
        samples: The finished samples.
        title: The text before the count.
    """
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
        with _log_messages_to(lambda text: bar.update(task, last=text)):
            for sample in samples:
                failed += sample.failed
                bar.update(
                    task, advance=1, failed=f"{failed} failed  " if failed else "", last=printable(sample.id)[-40:]
                )
                yield sample


class _CallbackHandler(logging.Handler):
    """Passes each log message to a callback, so that the bar also changes while a single image takes long."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        self.show(printable(record.getMessage())[-60:])


@contextmanager
def _log_messages_to(show: Callable[[str], None]) -> Iterator[None]:
    logger, handler = logging.getLogger("dptools"), _CallbackHandler(show)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
