"""The local engine: run a stage in several processes or threads of this machine."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dptools.engine.job_queue import Batch
from dptools.engine.pool import Runner, WorkerPool
from dptools.engine.process import ProcessRunner
from dptools.engine.worker_setup import limit_torch_to_one_thread
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage, Worker


@dataclass(frozen=True)
class Local:
    """Run a stage in several workers of this machine.

    Attributes:
        jobs: The maximum number of workers. A worker starts when the input needs it.
        batch_size: The maximum number of samples that a worker gets at once.
        ordered: Whether results are in the order of the input. Otherwise they come in the order of completion.
        threads: Whether workers are threads of this process, for stages that wait more than they compute. Otherwise
            workers are processes. If one crashes, only the image that it was processing fails.
    """

    jobs: int
    batch_size: int = 1
    ordered: bool = True
    threads: bool = False

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Run the stage; see :class:`dptools.pipe.stage.Engine`."""
        shared = SharedRunner(stage)
        runners: list[Runner] = [shared if self.threads else ProcessRunner(stage) for _ in range(self.jobs)]
        return WorkerPool(stage.tool, runners, self.batch_size, self.ordered)(samples)


class SharedRunner:
    """Run a stage in the threads that call it. All of them share one worker, so the stage is built once."""

    attempts = 1

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._worker: Worker | None = None
        self._build_lock = threading.Lock()

    def wait_until_ready(self) -> None:
        """Return at once: the first batch builds the stage."""

    def run(self, batch: Batch) -> Batch:
        """Return the finished samples of the batch; see :class:`dptools.engine.pool.Runner`."""
        with self._build_lock:
            if self._worker is None:
                limit_torch_to_one_thread()
                self._worker = self._stage.build()
        return list(self._worker(batch))

    def stop(self) -> None:
        """Do nothing: threads cannot be interrupted. They end with the process."""
