"""One worker process: it builds the stage once and then answers batches until its parent goes away."""

import os
import signal
import threading
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection

from dptools.engine.threads import one_thread
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage

Batch = list[Sample]


class Process:
    """A worker process, started with its first batch and again after it died."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stopped = False
        self._starting = threading.Lock()
        self._connection: Connection | None = None

    def run(self, batch: Batch) -> Batch:
        """The finished samples; an error record for the one on which the process died.

        Raises:
            DptoolsError: the stage cannot be built.
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
        connection = self._connection or self._start()
        connection.send(batch)
        answer: Batch | BaseException = connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _start(self) -> Connection:
        # Spawned, not forked: it inherits no other worker's connection, so it sees the end of its own.
        context = get_context("spawn")
        with self._starting:
            if self.stopped:
                raise EOFError
            ours, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self.stage), daemon=True)
            self._process.start()
            theirs.close()
            self._connection = ours
        return ours

    def _bury(self) -> str:
        self._process.join()
        self._connection = None
        code = self._process.exitcode or 0
        cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        hint = "; is there enough memory?" if code == -signal.SIGKILL else ""
        return f"the worker process was {cause}{hint}" if code < 0 else f"the worker process {cause}"


def _serve(connection: Connection, stage: Stage) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(2, 1)  # standard output holds results; what a library prints goes to standard error
    one_thread()
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


def _send(connection: Connection, answer: Batch | BaseException) -> None:
    try:
        connection.send(answer)
    except (TypeError, AttributeError) as error:  # an exception that cannot be pickled
        connection.send(RuntimeError(f"{answer!r}: {error}"))


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
    os._exit(1)
