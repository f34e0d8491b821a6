"""What tests look at of a tool's run: its records, and what becomes so while it runs."""

import json
import time
from collections.abc import Callable
from typing import Any


def records(text: str) -> list[dict[str, Any]]:
    """Without what no two runs share."""
    found = [json.loads(line) for line in text.splitlines()]
    for record in found:
        for entry in record.get("stages", []):
            entry.pop("seconds", None)
    return found


def comes(state: Callable[[], bool], seconds: float) -> bool:
    """Whether it is so within that time."""
    end = time.monotonic() + seconds
    while not state():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
