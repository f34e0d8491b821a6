"""Workers that share this process: for stages that wait more than they compute."""

import threading
from dataclasses import dataclass, field

from dptools.engine.pool import Batch
from dptools.engine.threads import one_thread
from dptools.pipe.stage import Stage, Worker


@dataclass
class Shared:
    """A stage, built once, at work for any number of threads."""

    stage: Stage
    _worker: Worker | None = None
    _building: threading.Lock = field(default_factory=threading.Lock)

    def ready(self) -> None:
        """At once: the first batch builds the stage."""

    def run(self, batch: Batch) -> Batch:
        """The finished samples.

        Raises:
            DptoolsError: the stage cannot be built.
        """
        with self._building:
            if self._worker is None:
                one_thread()
                self._worker = self.stage.build()
        return list(self._worker(batch))

    def stop(self) -> None:
        """Nothing: the threads end with the process."""
