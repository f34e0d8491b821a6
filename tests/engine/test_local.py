"""The local engine: order, isolation, and memory bounded by the window."""

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import Toy, sample

from dptools.engine.inline import inline
from dptools.engine.local import Local
from dptools.engine.pool import WINDOW
from dptools.errors import SetupError
from dptools.pipe.sample import Sample


def ids(samples: Iterator[Sample] | list[Sample]) -> list[str]:
    return [item.id for item in samples]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_results_come_in_input_order(batch_size: int) -> None:
    items = [sample(str(n), do="sleep", seconds=0.05 if n % 3 == 0 else 0) for n in range(20)]
    found = list(Local(3, batch_size)(Toy(), items))
    assert ids(found) == ids(items)
    assert len({item.record["worker"] for item in found}) > 1
    assert max(item.record["batch"] for item in found) <= batch_size


def test_unordered_results_are_all_there_and_the_quick_ones_first() -> None:
    items = [sample("slow", do="sleep", seconds=1.5), *(sample(str(n)) for n in range(5))]
    found = ids(Local(2, ordered=False)(Toy(), items))
    assert sorted(found) == sorted(ids(items))
    assert found[-1] == "slow"


@pytest.mark.parametrize(
    ("act", "message"), [("die", "killed by SIGKILL; is there enough memory?"), ("leave", "ended with status 7")]
)
def test_a_worker_that_dies_takes_only_its_own_image(act: str, message: str) -> None:
    items = [sample("a"), sample("b"), sample("c", do=act), sample("d"), sample("e")]
    found = list(Local(1, batch_size=5)(Toy(), items))
    assert ids(found) == ["a", "b", "c", "d", "e"]
    assert [item.failed for item in found] == [False, False, True, False, False]
    error = found[2].record["error"]
    assert (error["stage"], error["type"]) == ("dp-toy", "WorkerDied")
    assert message in error["message"]


def test_a_worker_that_died_while_idle_takes_nothing(tmp_path: Path) -> None:
    def slow() -> Iterator[Sample]:
        yield sample("a")
        while not log.exists():
            time.sleep(0.1)
        time.sleep(1)
        os.kill(int(log.read_text()), signal.SIGKILL)
        time.sleep(0.5)
        yield sample("b")

    log = tmp_path / "log"
    assert [item.failed for item in Local(1)(Toy(log=log), slow())] == [False, False]


def test_a_stage_that_cannot_be_built_ends_the_run() -> None:
    with pytest.raises(SetupError, match="no weights"):
        list(Local(2)(Toy(), [sample("a", do="setup"), sample("b")]))


def test_a_slow_source_holds_up_no_result() -> None:
    def slow() -> Iterator[Sample]:
        yield sample("first")
        time.sleep(6)
        yield sample("second")

    results = Local(1)(Toy(), slow())
    start = time.monotonic()
    assert next(results).id == "first"
    assert time.monotonic() - start < 5
    assert ids(results) == ["second"]


def test_the_stream_is_read_no_further_than_the_window() -> None:
    taken = 0

    def endless() -> Iterator[Sample]:
        nonlocal taken
        while True:
            taken += 1
            yield sample(str(taken))

    results = Local(1)(Toy(), endless())
    for _ in range(50):
        next(results)
    time.sleep(0.2)
    assert taken <= 50 + WINDOW + 2
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_the_source_reaches_the_caller() -> None:
    def broken() -> Iterator[Sample]:
        yield sample("a")
        raise RuntimeError("torn")

    with pytest.raises(RuntimeError, match="torn"):
        list(Local(1)(Toy(), broken()))


def test_no_more_workers_than_needed_are_started_and_none_stays(tmp_path: Path) -> None:
    log = tmp_path / "log"
    list(Local(8)(Toy(log=log), [sample("a")]))
    (pid,) = log.read_text().split()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_an_empty_stream_starts_nothing(tmp_path: Path) -> None:
    assert list(Local(2)(Toy(log=tmp_path / "log"), [])) == []
    assert not (tmp_path / "log").exists()


def test_inline_runs_here_and_keeps_standard_output_clean(capfd: pytest.CaptureFixture[str]) -> None:
    (found,) = inline(Toy(), [sample("a", do="print")])
    assert found.record["worker"] == os.getpid()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "a library speaks\n")


def test_workers_keep_standard_output_clean(capfd: pytest.CaptureFixture[str]) -> None:
    list(Local(1)(Toy(), [sample("a", do="print")]))
    out, err = capfd.readouterr()
    assert out == ""
    assert "a library speaks" in err


def test_what_a_worker_tells_on_its_way_is_logged_here(caplog: pytest.LogCaptureFixture) -> None:
    items = [sample(name, do="tell") for name in "abc"]
    with caplog.at_level(logging.INFO, logger="dptools"):
        assert ids(Local(1)(Toy(), items)) == ["a", "b", "c"]
    assert [record.getMessage() for record in caplog.records] == ["a: half way", "b: half way", "c: half way"]
