"""The worker pool with runners that crash as the tests say: no image is lost, and the order is kept."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from gates import PATIENCE
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import sample

from dptools.engine.job_queue import Batch, JobQueue
from dptools.engine.pool import WorkerDiedError, WorkerPool
from dptools.pipe.sample import Sample


class FakeRunner:
    """A runner whose worker dies on certain images. It counts its crashes."""

    def __init__(self, attempts: int = 1, deadly: frozenset[str] = frozenset()) -> None:
        self.attempts, self.deadly = attempts, deadly
        self.crashes = 0
        self.started = False
        self.stopped = threading.Event()

    def wait_until_ready(self) -> None:
        self.started = True

    def run(self, batch: Batch) -> Batch:
        if any(item.id in self.deadly for item in batch):
            self.crashes += 1
            raise WorkerDiedError("bang")
        return [item.update(done=True) for item in batch]

    def stop(self) -> None:
        self.stopped.set()


class LostRunner(FakeRunner):
    """A runner that is lost with its first batch and never returns, as an actor whose machine is lost."""

    def __init__(self, others: threading.Event) -> None:
        super().__init__(attempts=3)
        self.others = others

    def wait_until_ready(self) -> None:
        if self.crashes:
            self.stopped.wait()
            raise WorkerDiedError("stopped")

    def run(self, batch: Batch) -> Batch:
        self.crashes += 1
        self.others.set()
        raise WorkerDiedError("the machine is lost")


class PatientRunner(FakeRunner):
    """A runner that is ready after another has taken a batch."""

    def __init__(self, others: threading.Event) -> None:
        super().__init__(attempts=3)
        self.others = others

    def wait_until_ready(self) -> None:
        assert self.others.wait(PATIENCE)


@settings(max_examples=60)
@given(
    count=st.integers(0, 30),
    deadly=st.frozensets(st.integers(0, 29)),
    runners=st.integers(1, 4),
    batch_size=st.integers(1, 5),
    attempts=st.integers(1, 3),
    ordered=st.booleans(),
)
def test_every_image_has_one_result_and_only_deadly_ones_fail(
    count: int, deadly: frozenset[int], runners: int, batch_size: int, attempts: int, ordered: bool
) -> None:
    names = [str(number) for number in range(count)]
    fakes = [FakeRunner(attempts, frozenset(map(str, deadly))) for _ in range(runners)]
    results = list(WorkerPool("dp-toy", fakes, batch_size, ordered)(map(sample, names)))
    order = [item.id for item in results]
    assert (order if ordered else sorted(order, key=int)) == names
    assert {item.id for item in results if item.failed} == {name for name in names if int(name) in deadly}
    assert all(item.failed or item.record["done"] for item in results)
    assert sum(fake.started for fake in fakes) <= -(-count // batch_size)
    assert all(fake.stopped.is_set() for fake in fakes)


@pytest.mark.parametrize(("attempts", "message"), [(1, "bang"), (3, "3 workers died on this image: bang")])
def test_an_image_fails_after_the_given_number_of_crashes(attempts: int, message: str) -> None:
    runner = FakeRunner(attempts, frozenset("a"))
    (result,) = WorkerPool("dp-toy", [runner], 1, True)([sample("a")])
    assert result.record["error"] == {"stage": "dp-toy", "type": "WorkerDied", "message": message}
    assert runner.crashes == attempts


def test_another_runner_takes_the_batch_of_one_that_never_returns() -> None:
    lost = threading.Event()
    runners = [LostRunner(lost), PatientRunner(lost)]
    names = [str(number) for number in range(6)]
    results = list(WorkerPool("dp-toy", runners, 2, True)(map(sample, names)))
    assert [item.id for item in results] == names
    assert not any(item.failed for item in results)
    assert runners[0].crashes == 1


def test_a_closed_run_stops_its_runners_and_its_source() -> None:
    def source() -> Iterator[Sample]:
        try:
            while True:
                yield sample("a")
        finally:
            ended.set()

    ended = threading.Event()
    runner = FakeRunner()
    results = WorkerPool("dp-toy", [runner], 1, True)(source())
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert runner.stopped.is_set()
    assert ended.wait(PATIENCE)


def test_a_signal_that_does_not_wake_the_waiting_thread_ends_the_wait() -> None:
    """The main thread blocks SIGINT, so another thread receives it, and the main thread sleeps on.

    The same happens if SIGINT arrives just before the main thread falls asleep.
    """

    def interrupt() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            JobQueue(1, 1, ordered=True).next_finished()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
