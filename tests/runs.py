"""Helpers for tests that run a tool: parse its records, find its workers and wait for an event."""

import json
import time
from collections.abc import Callable
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


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started, without the resource tracker of multiprocessing."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    started = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [child for child in started if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]


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
