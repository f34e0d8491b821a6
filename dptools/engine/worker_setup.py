"""Set up a process before it runs a stage."""

import logging
import os
import threading
from collections.abc import Callable
from multiprocessing import parent_process


def end_with_parent() -> None:
    """End this process as soon as its parent ends, even if it is busy and the parent was killed."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def limit_torch_to_one_thread() -> None:
    """Make torch and NumPy compute on one thread. Must run before torch is imported.

    With one process per core, more threads only slow each other down. One thread also fixes the order of floating-point
    sums, so results do not depend on the number of cores.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"


def forward_log(send: Callable[[str], None]) -> None:
    """Pass the text of every message that dptools logs to ``send`` instead of printing it here.

    The root logger is bypassed because some libraries make it print.
    """
    logger = logging.getLogger("dptools")
    logger.addHandler(_Forwarder(send))
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _wait_for_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


class _Forwarder(logging.Handler):
    def __init__(self, send: Callable[[str], None]) -> None:
        super().__init__()
        self.send = send

    def emit(self, record: logging.LogRecord) -> None:
        self.send(record.getMessage())
