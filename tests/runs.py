"""Helpers for tests that run a tool: parse its records, find its workers and wait for an event."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def records(text: str) -> list[dict[str, Any]]:
    """Return the records of JSON lines, without the times, which differ between runs."""
    parsed = [json.loads(line) for line in text.splitlines()]
    for record in parsed:
        for stage in record.get("stages", []):
            stage.pop("seconds", None)
    return parsed


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Return whether the condition becomes true within a time in seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a command and wait for its end. Kill it if the block fails, so that it does not disturb later tests."""
    with subprocess.Popen(command, **options) as run:
        try:
            yield run
        except BaseException:
            run.kill()
            raise


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started, without the resource tracker of multiprocessing.

    Threads and processes that end meanwhile count as absent.
    """
    found = [child for task in _entries(Path(f"/proc/{pid}/task")) for child in _read(task / "children").split()]
    commands = {int(child): _read(Path(f"/proc/{int(child)}/cmdline")) for child in found}
    return [child for child, command in commands.items() if command and b"resource_tracker" not in command]


def _entries(directory: Path) -> list[Path]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return list(directory.iterdir())
    return []


def _read(path: Path) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return path.read_bytes()
    return b""


def alive(pid: int) -> bool:
    """Return whether a process or one of its threads runs.

    The main thread of a killed process may be a zombie while other threads still end. Until they have ended, the parent
    cannot learn of the death.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False
