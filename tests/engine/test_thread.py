"""Threads as workers: for stages that wait."""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from toys import sample

from dptools.engine.local import Local
from dptools.errors import SetupError
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Worker


@dataclass
class Waiting:
    """A stage that waits, and counts how often it is built and how many wait at once."""

    tool: str = "dp-toy"
    built: int = 0
    now: int = 0
    most: int = 0

    def build(self) -> Worker:
        time.sleep(0.1)
        self.built += 1
        return self.work

    def work(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        self.now += 1
        self.most = max(self.most, self.now)
        for item in samples:
            time.sleep(item.record.get("seconds", 0.05))
        self.now -= 1
        return [item.update(thread=threading.get_ident()) for item in samples]


class Broken(Waiting):
    def build(self) -> Worker:
        raise SetupError("no service")


def test_many_wait_at_once_built_once_in_order() -> None:
    stage = Waiting()
    items = [sample(str(n), seconds=0.2 if n % 5 == 0 else 0.02) for n in range(40)]
    start = time.monotonic()
    found = list(Local(8, threads=True)(stage, items))
    assert [each.id for each in found] == [each.id for each in items]
    assert time.monotonic() - start < 1.5  # one after the other: 2.2 s
    assert stage.built == 1
    assert 4 < stage.most <= 8


def test_a_stage_that_cannot_be_built_ends_the_run() -> None:
    with pytest.raises(SetupError, match="no service"):
        list(Local(4, threads=True)(Broken(), [sample("a"), sample("b")]))


def test_unordered_results_come_as_they_are_done() -> None:
    items = [sample("slow", seconds=1), *(sample(str(n)) for n in range(5))]
    found = list(Local(2, ordered=False, threads=True)(Waiting(), items))
    assert found[-1].id == "slow"
    assert len(found) == 6
