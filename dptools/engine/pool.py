"""Runners at work side by side: who takes what, in which order results come, and how much may be under way."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol

from dptools.pipe.sample import Sample

Batch = list[Sample]

WINDOW = 8
"""Batches a runner that may be under way, or done and waiting for an earlier one: what bounds the memory."""


class Runner(Protocol):
    """What runs a stage, for one thread: a process of its own, or a share of something."""

    def ready(self) -> None:
        """Wait until it can take a batch; a crew waits for none of its runners but with another's work at hand.

        Raises:
            DptoolsError: it never will.
        """

    def run(self, batch: Batch) -> Batch:
        """The finished samples.

        Raises:
            DptoolsError: the stage cannot be built, or there is nothing to run it.
        """

    def stop(self) -> None:
        """End it at once, whatever it does."""


@dataclass
class _Ticket:
    """A batch that was taken, and where its results will be."""

    batch: Batch
    results: Future[Batch] = field(default_factory=Future)


class WorkerPool:
    """One run's threads: a reader, and one for each runner, so that a slow source holds up no result."""

    def __init__(self, runners: Sequence[Runner], batch_size: int, ordered: bool) -> None:
        """
        Args:
            batch_size: the most samples that a runner is given at once; it never waits for a batch to fill.
            ordered: results in the order of the input; else as they come.
        """
        self.runners, self.batch_size, self.ordered = runners, batch_size, ordered
        self.room = threading.Semaphore(WINDOW * len(runners) * batch_size)
        self.samples: SimpleQueue[Sample | None] = SimpleQueue()
        self.tickets: SimpleQueue[_Ticket | None] = SimpleQueue()
        self.lock = threading.Lock()
        self.all_taken, self.under_way = False, 0
        self.read, self.ended, self.news = 0, False, threading.Condition()

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        try:
            threading.Thread(target=self._read, args=(samples,), daemon=True).start()
            for place, runner in enumerate(self.runners):
                threading.Thread(target=self._work, args=(place, runner), daemon=True).start()
            while ticket := self.tickets.get():
                yield from ticket.results.result()
                self.room.release(len(ticket.batch))
        finally:
            for runner in self.runners:
                runner.stop()

    def _read(self, samples: Iterable[Sample]) -> None:
        try:
            for sample in samples:
                self.room.acquire()
                self.samples.put(sample)
                self._tell(1)
        except BaseException as error:
            self._raise(error)
        finally:
            self.samples.put(None)
            self._tell(0, ended=True)
            if not self.read:
                self.tickets.put(None)

    def _tell(self, more: int, ended: bool = False) -> None:
        with self.news:
            self.read, self.ended = self.read + more, ended
            self.news.notify_all()

    def _needed(self, place: int) -> bool:
        """Whether there is work for so many: waits until that is known."""
        with self.news:
            self.news.wait_for(lambda: self.ended or self.read > place * self.batch_size)
            return self.read > place * self.batch_size

    def _work(self, place: int, runner: Runner) -> None:
        try:
            while self._needed(place) and (ticket := self._next(runner)):
                self._run(runner, ticket)
        except BaseException as error:
            self._raise(error)

    def _next(self, runner: Runner) -> _Ticket | None:
        runner.ready()
        return self._take()

    def _run(self, runner: Runner, ticket: _Ticket) -> None:
        try:
            ticket.results.set_result(runner.run(ticket.batch))
        except BaseException as error:
            ticket.results.set_exception(error)
        if not self.ordered:
            with self.lock:
                self.tickets.put(ticket)
                self.under_way -= 1
                self._close()

    def _take(self) -> _Ticket | None:
        """The next batch: what is there by now. Taken under a lock, so tickets stand in the order of the input."""
        with self.lock:
            if not (batch := self._batch()):
                self.all_taken = True
                self._close()
                return None
            ticket = _Ticket(batch)
            if self.ordered:
                self.tickets.put(ticket)
            else:
                self.under_way += 1
            return ticket

    def _batch(self) -> Batch:
        batch: Batch = []
        try:
            while len(batch) < self.batch_size:
                if (sample := self.samples.get(block=not batch)) is None:
                    self.samples.put(None)
                    break
                batch.append(sample)
        except Empty:
            pass
        return batch

    def _close(self) -> None:
        """Say that no ticket will come, once that is so."""
        if self.all_taken and not self.under_way:
            self.tickets.put(None)

    def _raise(self, error: BaseException) -> None:
        ticket = _Ticket([])
        ticket.results.set_exception(error)
        self.tickets.put(ticket)
