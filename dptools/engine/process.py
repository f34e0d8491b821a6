"""A worker process of the local engine: it builds the stage once and then answers batches until its parent ends."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from dptools.engine.job_queue import Batch
from dptools.engine.pool import WorkerDiedError
from dptools.engine.worker_setup import end_with_parent, forward_log, limit_torch_to_one_thread
from dptools.errors import SetupError
from dptools.pipe.stage import Stage

logger = logging.getLogger("dptools")


@dataclass(frozen=True)
class LogMessage:
    """A message that a worker process logs before it answers a batch."""

    text: str


class ProcessRunner:
    """Run a stage in a process of its own. It starts with the first batch, and again after a crash."""

    attempts = 1

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stopped = False
        self._lock = threading.Lock()  # Held while a process starts, so that stop() kills that process too.
        self._process: BaseProcess | None = None
        self._connection: Connection

    def wait_until_ready(self) -> None:
        """Return at once: the first batch starts the process."""

    def run(self, batch: Batch) -> Batch:
        """Return the finished samples of the batch; see :class:`dptools.engine.pool.Runner`."""
        if self._process and not self._process.is_alive():  # It died between two batches.
            self._process = None
        process = self._process or self._start()
        try:
            self._connection.send(batch)
            while isinstance(answer := self._connection.recv(), LogMessage):
                logger.info("%s", answer.text)
        except (EOFError, OSError):
            self._process = None
            raise WorkerDiedError(_death_of(process)) from None
        if isinstance(answer, BaseException):
            raise answer
        finished: Batch = answer
        return finished

    def stop(self) -> None:
        """Kill the process, whatever it does, and start no other."""
        with self._lock:
            self._stopped = True
        if process := self._process:
            process.kill()
            process.join()

    def _start(self) -> BaseProcess:
        # A forked process would inherit the connections of other workers, and would not notice that its own is closed.
        context = get_context("spawn")
        with self._lock:
            if self._stopped:
                raise WorkerDiedError("the run has ended")
            try:
                self._connection, remote = context.Pipe()
                process = context.Process(target=_serve, args=(remote, self._stage), daemon=True)
                with _sigint_blocked():
                    process.start()
            except OSError as error:
                raise SetupError(f"a worker process cannot be started: {error.strerror or error}") from error
            remote.close()
            self._process = process
            return process


def _death_of(process: BaseProcess) -> str:
    process.join()
    code = process.exitcode or 0
    if code >= 0:
        return f"the worker process ended with status {code}"
    hint = "; is there enough memory?" if code == -signal.SIGKILL else ""
    return f"the worker process was killed by {signal.Signals(-code).name}{hint}"


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT in processes that start in this context. On ^C, the parent ends the workers itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, stage: Stage) -> None:
    """Answer each batch with the finished samples or an exception, until the parent closes the connection."""
    end_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # Standard input belongs to the parent.
    os.dup2(2, 1)  # Standard output holds the results; what a library prints goes to standard error.
    limit_torch_to_one_thread()
    forward_log(lambda text: _send_message(connection, text))
    worker = None
    with suppress(EOFError, ConnectionError):  # The parent has closed the connection, or was killed.
        while True:
            batch = connection.recv()
            try:
                worker = worker or stage.build()
                answer: Batch | Exception = list(worker(batch))
            except Exception as error:
                answer = error
            _send(connection, answer)


def _send_message(connection: Connection, text: str) -> None:
    with suppress(OSError):
        connection.send(LogMessage(text))


def _send(connection: Connection, answer: Batch | Exception) -> None:
    try:
        connection.send(answer)
    except OSError:
        raise
    except Exception as error:  # Pickle raises many types of exceptions.
        connection.send(RuntimeError(f"{type(answer).__name__} cannot be sent: {error}"))
