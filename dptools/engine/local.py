"""Workers on this machine: processes, of which one that dies takes one image with it, not the run; or threads."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from dptools.engine.process import Batch, Process
from dptools.engine.thread import Shared
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage

WINDOW = 8
"""Batches a worker that may be under way, or done and waiting for an earlier one: what bounds the memory."""


@dataclass(frozen=True)
class Local:
    """Run a stage in several workers.

    Attributes:
        jobs: processes, one thread each; or threads.
        batch_size: the most samples that a worker is given at once; it never waits for a batch to fill.
        ordered: results in the order of the input; else as they come.
    """

    jobs: int
    batch_size: int = 1
    ordered: bool = True
    threads: bool = False

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        run = _Run(self, stage)
        try:
            run.start(samples)
            yield from run.results()
        finally:
            run.stop()


@dataclass
class _Ticket:
    """A batch that was taken, and where its results will be."""

    batch: Batch
    results: Future[Batch] = field(default_factory=Future)


class _Run:
    """One run's threads: a reader, and one for each worker, so that a slow source holds up no result."""

    def __init__(self, options: Local, stage: Stage) -> None:
        self.options = options
        self.room = threading.Semaphore(WINDOW * options.jobs * options.batch_size)
        self.samples: SimpleQueue[Sample | None] = SimpleQueue()
        self.tickets: SimpleQueue[_Ticket | None] = SimpleQueue()
        shared = Shared(stage)
        self.workers = [shared if options.threads else Process(stage) for _ in range(options.jobs)]
        self.working = options.jobs
        self.lock = threading.Lock()

    def start(self, samples: Iterable[Sample]) -> None:
        threading.Thread(target=self._read, args=(samples,), daemon=True).start()
        for worker in self.workers:
            threading.Thread(target=self._work, args=(worker,), daemon=True).start()

    def results(self) -> Iterator[Sample]:
        while ticket := self.tickets.get():
            yield from ticket.results.result()
            self.room.release(len(ticket.batch))

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()

    def _read(self, samples: Iterable[Sample]) -> None:
        try:
            for sample in samples:
                self.room.acquire()
                self.samples.put(sample)
        except BaseException as error:
            ticket = _Ticket([])
            ticket.results.set_exception(error)
            self.tickets.put(ticket)
        finally:
            self.samples.put(None)

    def _work(self, worker: Process | Shared) -> None:
        while ticket := self._take():
            try:
                ticket.results.set_result(worker.run(ticket.batch))
            except BaseException as error:
                ticket.results.set_exception(error)
            if not self.options.ordered:
                self.tickets.put(ticket)
        self._leave()

    def _take(self) -> _Ticket | None:
        """The next batch: what is there by now. Taken under a lock, so tickets stand in the order of the input."""
        with self.lock:
            if not (batch := self._batch()):
                return None
            ticket = _Ticket(batch)
            if self.options.ordered:
                self.tickets.put(ticket)
            return ticket

    def _batch(self) -> Batch:
        batch: Batch = []
        try:
            while len(batch) < self.options.batch_size:
                if (sample := self.samples.get(block=not batch)) is None:
                    self.samples.put(None)
                    break
                batch.append(sample)
        except Empty:
            pass
        return batch

    def _leave(self) -> None:
        with self.lock:
            self.working -= 1
            if not self.working:
                self.tickets.put(None)
