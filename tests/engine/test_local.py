"""The local and the inline engine: order, batches, bounded memory and crashed workers."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from gates import PATIENCE, Gate
from runs import alive, started, wait_until
from toys import Toy, sample

from dptools.engine.inline import inline
from dptools.engine.local import Local
from dptools.engine.pool import WINDOW
from dptools.errors import SetupError
from dptools.pipe.sample import Sample


def ids(samples: Iterable[Sample]) -> list[str]:
    return [item.id for item in samples]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_results_are_in_the_order_of_the_input(tmp_path: Path, batch_size: int) -> None:
    items = [sample("0", wait_for="19.pid"), *(sample(str(number)) for number in range(1, 20))]
    results = list(Local(3, batch_size)(Gate(tmp_path), items))
    assert ids(results) == ids(items)
    assert len({item.record["worker"] for item in results}) > 1
    assert max(item.record["batch"] for item in results) <= batch_size


def test_samples_that_wait_for_a_worker_form_a_batch(tmp_path: Path) -> None:
    def source() -> Iterator[Sample]:
        yield sample("0", wait_for="all-read")
        gate.wait_for_worker("0")
        yield from (sample(str(number)) for number in range(1, 6))
        gate.open("all-read")

    gate = Gate(tmp_path)
    results = list(Local(1, batch_size=3)(gate, source()))
    assert [item.record["batch"] for item in results] == [1, 3, 3, 3, 2, 2]


def test_unordered_results_do_not_wait_for_a_slow_sample(tmp_path: Path) -> None:
    items = [sample("slow", wait_for="others-yielded"), *(sample(str(number)) for number in range(5))]
    gate = Gate(tmp_path)
    results = Local(2, ordered=False)(gate, items)
    assert sorted(next(results).id for _ in range(5)) == ["0", "1", "2", "3", "4"]
    gate.open("others-yielded")
    assert ids(results) == ["slow"]


@pytest.mark.parametrize(
    ("crash", "message"), [("kill", "killed by SIGKILL; is there enough memory?"), ("exit", "ended with status 7")]
)
def test_a_worker_that_dies_costs_only_its_own_image(tmp_path: Path, crash: str, message: str) -> None:
    items = [sample("a"), sample("b"), sample("c", crash=crash), sample("d"), sample("e")]
    results = list(Local(1, batch_size=5)(Gate(tmp_path), items))
    assert ids(results) == ["a", "b", "c", "d", "e"]
    assert [item.failed for item in results] == [False, False, True, False, False]
    error = results[2].record["error"]
    assert (error["stage"], error["type"]) == ("dp-gate", "WorkerDied")
    assert message in error["message"]


def test_a_worker_that_dies_while_idle_costs_no_image(tmp_path: Path) -> None:
    def source() -> Iterator[Sample]:
        yield sample("a")
        assert killed.wait(PATIENCE)
        yield sample("b")

    killed = threading.Event()
    gate = Gate(tmp_path)
    results = Local(1)(gate, source())
    assert not next(results).failed
    pid = gate.wait_for_worker("a")
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not alive(pid), PATIENCE)
    killed.set()
    assert [item.failed for item in results] == [False]


def test_a_stage_that_cannot_be_built_ends_the_run() -> None:
    with pytest.raises(SetupError, match="no weights"):
        list(Local(2)(Toy(), [sample("a", do="setup"), sample("b")]))


def test_a_slow_source_delays_no_result() -> None:
    def source() -> Iterator[Sample]:
        yield sample("first")
        if yielded.wait(PATIENCE):
            yield sample("second")

    yielded = threading.Event()
    results = Local(1)(Toy(), source())
    assert next(results).id == "first"
    yielded.set()
    assert ids(results) == ["second"]


def test_the_source_is_read_no_further_than_the_window() -> None:
    def source() -> Iterator[Sample]:
        for number in range(300):
            ahead.append(number + 1 - len(yielded))
            yield sample(str(number))

    ahead: list[int] = []
    yielded: list[Sample] = []
    for result in Local(1)(Toy(), source()):
        yielded.append(result)
    assert len(yielded) == 300
    assert max(ahead) <= WINDOW + 2  # The one that waits for room, and the one that the loop above works on.


def test_an_error_of_the_source_is_raised_after_the_results_before_it() -> None:
    def source() -> Iterator[Sample]:
        yield sample("a")
        yield sample("b")
        raise RuntimeError("torn")

    results = Local(1)(Toy(), source())
    assert [next(results).id, next(results).id] == ["a", "b"]
    with pytest.raises(RuntimeError, match="torn"):
        next(results)


def test_no_more_workers_start_than_the_input_needs_and_none_remains(tmp_path: Path) -> None:
    log = tmp_path / "log"
    list(Local(8)(Toy(log=log), [sample("a")]))
    (pid,) = log.read_text().split()
    assert wait_until(lambda: not alive(int(pid)), PATIENCE)


def test_an_empty_input_starts_no_worker(tmp_path: Path) -> None:
    assert list(Local(2)(Toy(log=tmp_path / "log"), [])) == []
    assert not (tmp_path / "log").exists()


def test_a_closed_run_kills_a_busy_worker(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    results = Local(1)(gate, [sample("a"), sample("b", wait_for="never")])
    next(results)
    pid = gate.wait_for_worker("b")
    results.close()  # type: ignore[attr-defined]
    assert not alive(pid)


RUN_FOREVER = """
import sys
from pathlib import Path
from gates import Gate
from toys import sample
from dptools.engine.local import Local

if __name__ == "__main__":
    list(Local(2)(Gate(Path(sys.argv[1])), [sample("a", wait_for="never"), sample("b", wait_for="never")]))
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_busy_workers_end_with_their_parent(tmp_path: Path, signal_number: signal.Signals) -> None:
    script = tmp_path / "run_forever.py"
    script.write_text(RUN_FOREVER)
    gate = Gate(tmp_path)
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, script, tmp_path]
    with started(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL) as run:
        workers = [gate.wait_for_worker(name) for name in "ab"]
        run.send_signal(signal_number)
    assert len(set(workers)) == 2
    assert wait_until(lambda: not any(alive(pid) for pid in workers), PATIENCE / 2)


def test_inline_runs_in_this_process_and_prints_nothing_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    (result,) = inline(Toy(), [sample("a", do="print")])
    assert result.record["worker"] == os.getpid()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "a library speaks\n")


def test_workers_print_nothing_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    list(Local(1)(Toy(), [sample("a", do="print")]))
    out, err = capfd.readouterr()
    assert out == ""
    assert "a library speaks" in err


def test_the_messages_of_a_worker_are_logged_in_this_process(caplog: pytest.LogCaptureFixture) -> None:
    items = [sample(name, do="tell") for name in "abc"]
    with caplog.at_level(logging.INFO, logger="dptools"):
        assert ids(Local(1)(Toy(), items)) == ["a", "b", "c"]
    assert [record.getMessage() for record in caplog.records] == ["a: half way", "b: half way", "c: half way"]


def test_a_process_that_cannot_be_started_is_a_setup_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", fail)
    with pytest.raises(SetupError, match="a worker process cannot be started: Resource temporarily unavailable"):
        list(Local(2)(Toy(), [sample("a")]))
