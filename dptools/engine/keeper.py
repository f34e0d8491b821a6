"""A Ray of this machine that ends with the tool, however that ends: a process that starts it, and waits for that end.

Ray by itself leaves agents of a killed tool's cluster for a minute, and now and then of one that was interrupted. This
process is out of reach of what ends the tool: it leads a session of its own.
"""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import ray

from dptools.errors import SetupError

SECONDS = 5.0
"""After the tool's end in which Ray may end by itself, which takes one or two; then it is killed."""


@contextmanager
def own_ray() -> Iterator[str]:
    """The address of a new cluster, of which nothing is left afterwards.

    Raises:
        SetupError: it cannot be started.
    """
    _agree_on_a_secret()
    errors = None if os.environ.get("DPTOOLS_DEBUG") else subprocess.DEVNULL
    # The end of its input is the end of this process, which nothing can prevent it from seeing.
    with subprocess.Popen(
        [sys.executable, "-P", "-c", "from dptools.engine.keeper import keep; keep()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    ) as keeper:
        assert keeper.stdout
        started, _, told = keeper.stdout.readline().strip().partition(" ")
        if started != "at":
            raise SetupError(f"Ray cannot be started on this machine: {told or 'it ended without a word'}")
        yield told


def _agree_on_a_secret() -> None:
    """Ray listens to all that know it; to others only if the user said so, or it is too old to know of secrets."""
    look_again = getattr(ray._raylet.Config, "initialize", None)  # it has read the environment when it was imported
    if look_again and "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        look_again("")


def keep() -> None:
    """Be that process."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what Ray prints is no answer
    begun, over = threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(begun, over), daemon=True).start()
    try:
        answers.write(f"{_begin()}\n")
        begun.set()
        over.wait()
        ray.shutdown()
    finally:
        _kill()


def _watch(begun: threading.Event, over: threading.Event) -> None:
    """Wait for the tool's end; then for Ray's, unless it has not begun, and not for ever."""
    sys.stdin.read()
    if begun.is_set():
        over.set()
        time.sleep(SECONDS)
    _kill()


def _begin() -> str:
    try:
        return f"at {ray.init('local', include_dashboard=False, log_to_driver=False).address_info['gcs_address']}"
    except Exception as error:  # of many kinds
        return "no " + " ".join(str(error).split())


def _kill() -> None:
    """Kill all that Ray began, which is what is in this session, and this process."""
    for _ in range(2):  # a worker may be born while the others die
        for place in Path("/proc").glob("[0-9]*"):  # where there is none, workers end by themselves, without Ray
            pid = int(place.name)
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) == os.getsid(0) != pid:
                    os.kill(pid, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)
