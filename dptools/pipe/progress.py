"""Show a progress bar on standard error, if that is a terminal."""

import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dptools.pipe.sample import Sample
from dptools.texts import printable

BAR = 10
"""The width of the bar, in characters."""

MAX_TEXT = 40
"""The longest id or message that is shown, in characters; the beginning is cut off."""


def progress_is_useful() -> bool:
    """Return whether standard error is a terminal and nothing else shows the progress.

    If standard output is a terminal, its lines show the progress. If it is a pipe or a socket (as for a child
    process of Node.js), the program that reads it draws the bar or prints; both on one terminal would overwrite each
    other.
    """
    mode = os.fstat(1).st_mode
    return sys.stderr.isatty() and not (sys.stdout.isatty() or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def progress(
    samples: Iterable[Sample], title: str, count: Callable[[], int | None], suffixes: Sequence[str] = ("",)
) -> Iterator[Sample]:
    """Yield the samples, and show on standard error how many there are, how fast they come and the time left.

    Args:
        samples: The finished samples.
        title: The text before the count.
        count: Returns the number of inputs, None if it is unknown. It runs in a thread of its own.
        suffixes: The suffixes that the tool appends to ids, one for each output of an input.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = "{task.description} {task.completed:g}{task.fields[of]} {task.fields[pace]} {task.fields[last]}"
    columns = (
        SpinnerColumn(),
        BarColumn(BAR, table_column=Column(min_width=BAR)),
        TimeElapsedColumn(table_column=Column(min_width=len("0:00:00"))),
        TextColumn(text, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    tally = _Tally(suffixes)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, of="", pace="", last="")

        def set_total() -> None:
            tally.inputs = count()
            bar.update(task, total=tally.total, of=tally.of())

        def show(last: str) -> None:
            last = printable(last)[-MAX_TEXT:]
            bar.update(task, total=tally.total, completed=tally.done, of=tally.of(), pace=tally.pace(), last=last)

        threading.Thread(target=set_total, daemon=True).start()
        with _log_messages_to(show):
            for sample in samples:
                tally.add(sample)
                show(sample.id)
                yield sample


@dataclass
class _Tally:
    """Counts finished samples, and measures their pace.

    Attributes:
        suffixes: The suffixes that the tool appends to ids.
        inputs: The number of inputs; None as long as it is unknown.
        done: The number of finished outputs.
        failed: The number of failed ones among them.
        missing: The number of outputs that will not come, because their input failed as a whole.
        computed: The number of outputs that were computed, not reused.
        start: The time when the computation of outputs began, in seconds.
    """

    suffixes: Sequence[str]
    inputs: int | None = None
    done: int = 0
    failed: int = 0
    missing: int = 0
    computed: int = 0
    start: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int | None:
        """The number of outputs; None if it is unknown."""
        return None if self.inputs is None else max(self.done, self.inputs * len(self.suffixes) - self.missing)

    def add(self, sample: Sample) -> None:
        """Count a finished sample. Outputs that are reused before the first one is computed do not affect the pace."""
        self.done += 1
        self.failed += sample.failed
        if sample.finished and not sample.id.endswith(tuple(self.suffixes)):
            self.missing += len(self.suffixes) - 1
        if not sample.record.get("cached"):
            self.computed += 1
        elif not self.computed:
            self.start = time.monotonic()

    def of(self) -> str:
        """Return the total, behind a slash; empty if it is unknown."""
        return "" if self.total is None else f"/{self.total}"

    def pace(self) -> str:
        """Return the number of failures, the images per second and the time left, as far as they are known."""
        seconds = time.monotonic() - self.start
        parts = [f"{self.failed} failed"] if self.failed else []
        if self.computed and seconds > 0:
            rate = self.computed / seconds
            parts.append(f"{rate:.1f} images/s" if rate >= 1 else f"{1 / rate:.1f} s/image")
            if self.total is not None:
                left = int((self.total - self.done) / rate)
                parts.append(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
        return " ".join(parts)


class _CallbackHandler(logging.Handler):
    """Passes each log message to a callback, so that the bar also changes while a single image takes long."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        self.show(record.getMessage())


@contextmanager
def _log_messages_to(show: Callable[[str], None]) -> Iterator[None]:
    logger, handler = logging.getLogger("dptools"), _CallbackHandler(show)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
