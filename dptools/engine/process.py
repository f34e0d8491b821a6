"""One worker process: it builds the stage once and then answers batches until its parent goes away."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection

from dptools.engine.pool import Batch
from dptools.engine.threads import one_thread
from dptools.errors import SetupError
from dptools.pipe.stage import Stage

logger = logging.getLogger("dptools")


@dataclass(frozen=True)
class Note:
    """What a worker tells on the way to an answer."""

    text: str


class Process:
    """A worker process, started with its first batch and again after it died."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stopped = False
        self._starting = threading.Lock()
        self._connection: Connection | None = None

    def ready(self) -> None:
        """At once: a process is started with its first batch."""

    def run(self, batch: Batch) -> Batch:
        """The finished samples; an error record for the one on which the process died.

        Raises:
            DptoolsError: the stage cannot be built, or no process started.
        """
        try:
            return self._ask(batch)
        except (EOFError, OSError):
            if self.stopped:
                raise
        cause = self._bury()
        if len(batch) > 1:
            return [done for sample in batch for done in self.run([sample])]
        return [sample.fail(self.stage.tool, "WorkerDied", cause) for sample in batch]

    def stop(self) -> None:
        """End the process at once, whatever it does."""
        with self._starting:
            self.stopped = True
        if self._connection:
            self._process.kill()
            self._process.join()

    def _ask(self, batch: Batch) -> Batch:
        if self._connection and not self._process.is_alive():  # it died while it had nothing to do
            self._bury()
        connection = self._connection or self._start()
        connection.send(batch)
        while isinstance(answer := connection.recv(), Note):
            logger.info("%s", answer.text)
        if isinstance(answer, BaseException):
            raise answer
        done: Batch = answer
        return done

    def _start(self) -> Connection:
        # Spawned, not forked: it inherits no other worker's connection, so it sees the end of its own.
        context = get_context("spawn")
        with self._starting:
            if self.stopped:
                raise EOFError
            try:
                ours, theirs = context.Pipe()
                self._process = context.Process(target=_serve, args=(theirs, self.stage), daemon=True)
                with _without_interrupts():
                    self._process.start()
            except OSError as error:
                raise SetupError(f"a worker process cannot be started: {error.strerror or error}") from error
            theirs.close()
            self._connection = ours
        return ours

    def _bury(self) -> str:
        self._process.join()
        self._connection = None
        code = self._process.exitcode or 0
        if code >= 0:
            return f"the worker process ended with status {code}"
        hint = "; is there enough memory?" if code == -signal.SIGKILL else ""
        return f"the worker process was killed by {signal.Signals(-code).name}{hint}"


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started inside never gets a ^C: the parent gets it too, and ends its workers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, stage: Stage) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what the parent reads is not for workers
    os.dup2(2, 1)  # standard output holds results; what a library prints goes to standard error
    one_thread()
    logger.addHandler(_Tell(connection))
    logger.setLevel(logging.INFO)
    logger.propagate = False  # some libraries make the root logger print
    worker = None
    while True:
        try:
            batch = connection.recv()
        except EOFError:
            return
        try:
            worker = worker or stage.build()
            answer: Batch | BaseException = list(worker(batch))
        except Exception as error:
            answer = error
        _send(connection, answer)


class _Tell(logging.Handler):
    """Sends what is logged to the parent."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            self.connection.send(Note(record.getMessage()))


def _send(connection: Connection, answer: Batch | BaseException) -> None:
    try:
        connection.send(answer)
    except OSError:
        raise
    except Exception as error:  # whatever pickle raises on what it cannot send
        connection.send(RuntimeError(f"{type(answer).__name__} cannot be sent: {error}"))


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
    os._exit(1)
