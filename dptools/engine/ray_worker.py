"""What an actor of a Ray cluster runs, on a machine that may be another."""

import logging
import os
from importlib.metadata import version

from dptools.engine.pool import Batch
from dptools.engine.threads import one_thread
from dptools.pipe.stage import Stage, Worker

logger = logging.getLogger("dptools")


class RemoteStage:
    """A stage at work there."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.worker: Worker | None = None
        self.notes = _Notes()
        one_thread()
        logger.addHandler(self.notes)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def greet(self, directory: str | None, expected: str) -> str | None:
        """What is wrong here, if anything is."""
        host = os.uname().nodename
        if (found := version("deep-protection")) != expected:
            return f"{host}, of the Ray cluster, has dptools {found}, and this is {expected}"
        try:
            os.chdir(directory or "/")
        except OSError:
            return f"{host}, of the Ray cluster, has no directory {directory}: share it, or send images with --ship"
        return None

    def run(self, batch: Batch) -> tuple[Batch | Exception, list[str]]:
        """The answer, or what went wrong, and what was told on the way to it."""
        try:
            self.worker = self.worker or self.stage.build()
            return list(self.worker(batch)), self.notes.taken()
        except Exception as error:
            return error, self.notes.taken()


class _Notes(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    def taken(self) -> list[str]:
        texts, self.texts = self.texts, []
        return texts
