"""The local engine with threads as workers, for stages that wait."""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gates import PATIENCE, Gate
from toys import sample

from dptools.engine.local import Local
from dptools.errors import SetupError
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Worker

THREADS = 8


@dataclass
class Meeting:
    """A stage whose calls return only when as many threads as there are workers are inside, and that counts builds."""

    tool: str = "dp-toy"
    built: int = 0
    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(THREADS, timeout=PATIENCE))

    def build(self) -> Worker:
        self.built += 1
        return self.work

    def work(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        self.barrier.wait()
        return samples


class SlowEnd:
    """What a thread keeps until it ends, and takes time to free."""

    def __del__(self) -> None:
        time.sleep(0.3)


class Keeping(Meeting):
    """A stage whose threads need time to end."""

    kept = threading.local()

    def work(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        self.kept.value = SlowEnd()
        return samples


class Broken(Meeting):
    def build(self) -> Worker:
        raise SetupError("no service")


def test_many_samples_wait_at_the_same_time_and_the_stage_is_built_once() -> None:
    stage = Meeting()
    items = [sample(str(number)) for number in range(5 * THREADS)]
    results = list(Local(THREADS, threads=True)(stage, items))
    assert [result.id for result in results] == [item.id for item in items]
    assert stage.built == 1


def test_the_threads_have_ended_when_the_run_ends() -> None:
    before = threading.active_count()
    list(Local(2, threads=True)(Keeping(), [sample("a"), sample("b")]))
    assert threading.active_count() == before


def test_the_threads_have_ended_when_the_run_is_given_up() -> None:
    before = threading.active_count()
    results = Local(2, threads=True)(Keeping(), (sample(str(number)) for number in range(100)))
    next(results)
    results.close()
    assert threading.active_count() == before


def test_a_stage_that_cannot_be_built_ends_the_run() -> None:
    with pytest.raises(SetupError, match="no service"):
        list(Local(4, threads=True)(Broken(), [sample("a"), sample("b")]))


def test_ordered_results_wait_for_a_slow_sample(tmp_path: Path) -> None:
    items = [sample("slow", wait_for="4.pid"), *(sample(str(number)) for number in range(5))]
    results = list(Local(2, threads=True)(Gate(tmp_path), items))
    assert [result.id for result in results] == ["slow", "0", "1", "2", "3", "4"]


def test_unordered_results_do_not_wait_for_a_slow_sample(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    items = [sample("slow", wait_for="others-yielded"), *(sample(str(number)) for number in range(5))]
    results = Local(2, ordered=False, threads=True)(gate, items)
    assert sorted(next(results).id for _ in range(5)) == ["0", "1", "2", "3", "4"]
    gate.open("others-yielded")
    assert [result.id for result in results] == ["slow"]
