"""A stage that tests of the engines control with files, so that they need not guess durations."""

import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runs import wait_until

from dptools.pipe.sample import Sample
from dptools.pipe.stage import Worker

PATIENCE = 60.0
"""The time in seconds after which a test that waits for an event fails."""


@dataclass(frozen=True)
class Gate:
    """A stage whose workers report with files and wait for files.

    For each sample, the worker writes its process id into the file ``ID.pid``. If the record has the key ``wait_for``,
    the worker then waits until the file of that name exists. If it has the key ``crash``, the worker kills itself
    ("kill") or exits with status 7 ("exit"). The result names the worker and the size of its batch.
    """

    folder: Path
    tool: str = "dp-gate"

    def build(self) -> Worker:
        """Return the function that runs the stage."""
        return self.work

    def work(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Yield the samples, each after its file has appeared."""
        for sample in samples:
            self._report(sample)
            name = sample.record.get("wait_for")
            if name and not wait_until((self.folder / name).exists, PATIENCE):
                raise TimeoutError(f"{sample.id}: {name} did not appear")
            match sample.record.get("crash"):
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "exit":
                    os._exit(7)
            yield sample.update(worker=os.getpid(), batch=len(samples))

    def open(self, name: str) -> None:
        """Let the samples go that wait for this file."""
        (self.folder / name).touch()

    def wait_for_worker(self, name: str) -> int:
        """Return the id of the process that has started to work on a sample."""
        path = self.folder / f"{name}.pid"
        assert wait_until(path.exists, PATIENCE), f"no worker has started on {name}"
        return int(path.read_text())

    def _report(self, sample: Sample) -> None:
        partial = self.folder / f"{sample.id}.partial"
        partial.write_text(str(os.getpid()))
        partial.rename(self.folder / f"{sample.id}.pid")
