"""The jobs of one run on their way from the input to the output, shared by the threads of a worker pool."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dptools.pipe.sample import Sample

Batch = list[Sample]

SIGNAL_INTERVAL = 0.5
"""Seconds after which the waiting main thread looks for signals.

A signal that arrives just before a thread begins to wait does not end the wait. Without this limit, ^C was lost in one
of a hundred runs.
"""


@dataclass(eq=False)
class Job:
    """A batch that a runner has taken.

    Attributes:
        batch: The samples.
        crashes: The number of workers that have died while they had the batch.
        outcome: The finished samples or an error. None until one of them is known.
    """

    batch: Batch
    crashes: int = 0
    outcome: Batch | BaseException | None = None


class JobQueue:
    """Turn samples into jobs for several runners and return the finished jobs. All methods are thread-safe."""

    def __init__(self, batch_size: int, window: int, ordered: bool) -> None:
        """Create an empty queue.

        Args:
            batch_size: The maximum number of samples in a job. A job never waits for more samples.
            window: The maximum number of samples that have been read and not yet yielded. It bounds the memory.
            ordered: Whether finished jobs are returned in the order of the input. Otherwise they come in the order of
                completion.
        """
        self._batch_size, self._window, self._ordered = batch_size, window, ordered
        self._condition = threading.Condition()  # Guards everything below.
        self._samples: deque[Sample] = deque()  # In no job yet.
        self._jobs: list[Job] = []  # Taken and not yet returned, in the order of the input.
        self._retries: deque[Job] = deque()  # Members of _jobs whose worker has died.
        self._held = 0  # Samples in the window.
        self._input_ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, sample: Sample) -> bool:
        """Add a sample when the window has room, and return True. Return False if the queue is closed."""
        with self._change():
            self._condition.wait_for(lambda: self._closed or self._held < self._window)
            self._samples.append(sample)
            self._held += 1
            return not self._closed

    def end_input(self) -> None:
        """Declare that no sample will follow."""
        with self._change():
            self._input_ended = True

    def take(self) -> Job | None:
        """Return the next job to run, or None if no job will follow. Jobs to run again come first."""
        with self._condition:
            self._condition.wait_for(lambda: self._retries or self._samples or self._is_finished())
            if self._closed or not (self._retries or self._samples):
                return None
            if self._retries:
                return self._retries.popleft()
            count = min(self._batch_size, len(self._samples))
            self._jobs.append(Job([self._samples.popleft() for _ in range(count)]))
            return self._jobs[-1]

    def finish(self, job: Job, outcome: Batch | BaseException) -> None:
        """Set the outcome of a job."""
        with self._change():
            job.outcome = outcome

    def retry(self, job: Job) -> None:
        """Offer a job to all runners again."""
        with self._change():
            self._retries.append(job)

    def split(self, job: Job) -> None:
        """Replace a job by one job for each of its samples and offer these to all runners."""
        with self._change():
            parts = [Job([sample]) for sample in job.batch]
            index = self._jobs.index(job)
            self._jobs[index : index + 1] = parts
            self._retries.extend(parts)

    def fail(self, error: BaseException) -> None:
        """Make :meth:`next_finished` raise an error that belongs to no job."""
        with self._change():
            self._error = self._error or error

    def next_finished(self) -> Job | None:
        """Return the next finished job, or None after the last one."""
        with self._condition:
            while not self._condition.wait_for(self._is_result_known, SIGNAL_INTERVAL):
                pass
            if job := self._first_finished():
                self._jobs.remove(job)
            elif self._error:
                raise self._error
            return job

    def release(self, job: Job) -> None:
        """Free the room in the window that a returned job occupies."""
        with self._change():
            self._held -= len(job.batch)

    def close(self) -> None:
        """End the run: :meth:`put` and :meth:`take` return at once."""
        with self._change():
            self._closed = True

    def _first_finished(self) -> Job | None:
        candidates = self._jobs[:1] if self._ordered else self._jobs
        return next((job for job in candidates if job.outcome is not None), None)

    def _is_result_known(self) -> bool:
        return self._error is not None or self._is_finished() or self._first_finished() is not None

    def _is_finished(self) -> bool:
        """Return whether every job has an outcome and no other job will follow."""
        open_job = self._samples or any(job.outcome is None for job in self._jobs)
        return self._closed or (self._input_ended and not open_job)

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._condition:
            yield
            self._condition.notify_all()
