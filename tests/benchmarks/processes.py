"""Processes that a benchmark starts. They end with it, also if it is killed."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NoReturn

from dptools.engine.worker_setup import end_with_parent


def process_pool(count: int) -> ProcessPoolExecutor:
    """Return a pool of new processes, which read OMP_NUM_THREADS when they start."""
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=end_with_parent)


def run_tool(command: Sequence[str], names: bytes | None = None, **options: Any) -> int:
    """Run a command and return its status, 128 + n for signal n.

    If SIGTERM ends this process meanwhile, it kills the command first.

    Args:
        command: The command.
        names: Standard input; None to leave it.
        **options: Options of ``subprocess.Popen``.
    """
    ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))  # nothing to kill yet
    try:
        with subprocess.Popen(command, stdin=None if names is None else subprocess.PIPE, **options) as process:
            try:
                signal.signal(signal.SIGTERM, _exit)
                if ended:
                    _exit(ended[0])
                process.communicate(names)
            except BaseException:
                process.kill()
                raise
            return process.returncode if process.returncode >= 0 else 128 - process.returncode
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, _: object = None) -> NoReturn:
    sys.exit(128 + number)
