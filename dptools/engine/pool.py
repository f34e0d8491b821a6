"""The worker pool: run batches in several workers, and recover from workers that crash.

Neither pebble 5.2 nor concurrent.futures can replace this module and :mod:`dptools.engine.process`. Most of this
code would remain, because both lack two features. They cannot return results in order while they bound the input, and
they cannot form batches while all workers are busy.
``concurrent.futures.ProcessPoolExecutor`` fails all pending work when one process dies, does not say how it died, and
cannot kill its processes before Python 3.14. ``pebble.ProcessPool`` starts all its processes for the first image, waits
forever for a task whose process called ``os._exit(0)``, leaves busy processes running when the parent is killed, and
has no channel for log messages.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from dptools.engine.job_queue import Batch, Job, JobQueue
from dptools.pipe.sample import Sample

WINDOW = 8
"""The number of batches per runner that may be read and not yet yielded. It bounds the memory."""

JOIN_TIMEOUT = 1.0
"""Seconds to wait, at the end of a run, for all threads together.

A thread that still frees its tensors while the interpreter shuts down aborts the process. After the last result, it
happened in one of ten runs; after an early end, such as a closed pipe, in every second. A thread that waits for a
service can need the limit.
"""


class WorkerDiedError(Exception):
    """A worker ended before it answered its batch. The message states the cause."""


class Runner(Protocol):
    """Runs a stage for one thread of the pool, usually in a process of its own.

    Attributes:
        attempts: The number of workers that must die on one image before the image becomes an error record.
    """

    attempts: int

    def wait_until_ready(self) -> None:
        """Wait until a batch can be run. Meanwhile, other runners may take the samples.

        Raises:
            DptoolsError: The runner can never run a batch.
        """

    def run(self, batch: Batch) -> Batch:
        """Return the finished samples of a batch.

        Raises:
            DptoolsError: The stage cannot be built, or no worker can be started.
            WorkerDiedError: The worker ended before it answered.
        """

    def stop(self) -> None:
        """End the worker at once, whatever it does."""


class WorkerPool:
    """Runs a stage in several runners for one run.

    Each runner has a thread. The input has another one, so a slow source delays no result.
    """

    def __init__(self, tool: str, runners: Sequence[Runner], batch_size: int, ordered: bool) -> None:
        """Prepare the pool. Nothing starts before the first result is requested.

        Args:
            tool: The name of the tool, for error records.
            runners: The runners. A further one starts for every ``batch_size`` samples that have been read.
            batch_size: The maximum number of samples in a batch. No runner waits for a batch to fill.
            ordered: Whether results are in the order of the input. Otherwise they come in the order of completion.
        """
        self._tool, self._runners, self._batch_size = tool, runners, batch_size
        self._queue = JobQueue(batch_size, WINDOW * len(runners) * batch_size, ordered)
        self._source_error: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the finished samples.

        Raises:
            DptoolsError: The stage cannot be built, or no worker can be started.
            Exception: Reading ``samples`` raised it. The results of the samples before it are yielded first.
        """
        threading.Thread(target=self._read, args=(samples,), daemon=True).start()
        try:
            while job := self._queue.next_finished():
                if isinstance(job.outcome, BaseException):
                    raise job.outcome
                yield from job.outcome or ()
                self._queue.release(job)
            if self._source_error:
                raise self._source_error
        finally:
            self._queue.close()
            for runner in self._runners:
                runner.stop()
            self._join()

    def _join(self) -> None:
        deadline = time.monotonic() + JOIN_TIMEOUT
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _read(self, samples: Iterable[Sample]) -> None:
        """Read the input and start runners as they are needed."""
        idle = list(reversed(self._runners))
        try:
            for number, sample in enumerate(samples):
                if not self._queue.put(sample):
                    return
                if idle and number % self._batch_size == 0:
                    self._threads.append(threading.Thread(target=self._work, args=(idle.pop(),), daemon=True))
                    self._threads[-1].start()
        except BaseException as error:
            self._source_error = error
        self._queue.end_input()

    def _work(self, runner: Runner) -> None:
        """Run jobs until none is left."""
        try:
            runner.wait_until_ready()
            while job := self._queue.take():
                self._run(runner, job)
                runner.wait_until_ready()
        except BaseException as error:
            self._queue.fail(error)

    def _run(self, runner: Runner, job: Job) -> None:
        try:
            finished = all(sample.finished for sample in job.batch)  # nothing to do, so nothing needs to be loaded
            self._queue.finish(job, job.batch if finished else runner.run(job.batch))
        except WorkerDiedError as error:
            self._recover(job, runner.attempts, str(error))
        except BaseException as error:
            self._queue.finish(job, error)

    def _recover(self, job: Job, attempts: int, cause: str) -> None:
        """Run the job again. After too many crashes, split it into single samples; a single sample fails."""
        job.crashes += 1
        if job.crashes < attempts:
            self._queue.retry(job)
        elif len(job.batch) > 1:
            self._queue.split(job)
        else:
            message = cause if attempts == 1 else f"{attempts} workers died on this image: {cause}"
            self._queue.finish(job, [sample.fail(self._tool, "WorkerDied", message) for sample in job.batch])
