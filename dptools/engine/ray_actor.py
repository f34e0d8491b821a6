"""One worker of a Ray cluster."""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from dptools.engine.pool import Batch
from dptools.engine.ray_worker import RemoteStage
from dptools.errors import SetupError
from dptools.pipe.stage import Stage

TRIES = 3
"""Workers that are lost on one image before it is that image's fault."""

PATIENCE = 5.0
"""Seconds after which the work of a lost worker goes to another rather than wait for its successor."""

logger = logging.getLogger("dptools")


class Actor:
    """An actor, started when there is work, and again, wherever there is room, after it was lost."""

    def __init__(self, stage: Stage, options: dict[str, float], directory: str | None, crew: Sequence["Actor"]) -> None:
        """
        Args:
            options: resources that it takes.
            directory: where it finds files by the names that they have here; None where it finds none.
            crew: those beside it.
        """
        self.stage, self.options, self.directory, self.crew = stage, options, directory, crew
        self.alive = self.stopped = False
        self._lock = threading.Lock()
        self._handle: Any = None
        self._greeting: Any = None

    def ready(self) -> None:
        while not self.stopped and not self._is_up(1.0):
            pass

    def run(self, batch: Batch) -> Batch:
        for _ in range(TRIES):
            try:
                return self._alive().ask(batch)
            except RayActorError as error:
                cause = _first_line(error)
                logger.info("a worker was lost, and its images go to another: %s", cause)
        if len(batch) > 1:
            return [done for sample in batch for done in self.run([sample])]
        return [
            sample.fail(self.stage.tool, "WorkerDied", f"{TRIES} workers were lost on it: {cause}") for sample in batch
        ]

    def ask(self, batch: Batch) -> Batch:
        """
        Raises:
            DptoolsError: the stage cannot be built.
            RayActorError: the worker is lost.
        """
        if (handle := self._handle) is None:
            raise RayActorError(error_msg="it was lost a moment ago")
        try:
            answer, notes = ray.get(handle.run.remote(batch))
        except RayActorError:
            self._lose(handle)
            raise
        for note in notes:
            logger.info("%s", note)
        if isinstance(answer, BaseException):
            raise answer
        done: Batch = answer
        return done

    def stop(self) -> None:
        self.stopped = True
        self._lose(self._handle)

    def _alive(self) -> "Actor":
        """This one or, where that takes long, any that is."""
        if self._is_up(PATIENCE):
            return self
        while not self.stopped:
            for other in self.crew:
                if other.alive:
                    return other
            if self._is_up(1.0):
                return self
        raise SetupError("the run has ended")

    def _is_up(self, seconds: float) -> bool:
        """Start it, unless it is started, and wait so long at most.

        Raises:
            DptoolsError: it cannot work here, or all is over.
        """
        if self.stopped:
            raise SetupError("the run has ended")
        if self.alive:
            return True
        if self._handle is None:
            self._handle = ray.remote(RemoteStage).options(**self.options).remote(self.stage)
            self._greeting = self._handle.greet.remote(self.directory, version("deep-protection"))
        done, _ = ray.wait([self._greeting], timeout=seconds)
        if done:
            try:
                if complaint := ray.get(done[0]):
                    raise SetupError(complaint)
                self.alive = True
            except RayActorError:
                self._lose(self._handle)
        return self.alive

    def _lose(self, handle: Any) -> None:
        """Let go of what is left of it, unless another thread has, and began anew."""
        with self._lock:
            if handle is None or handle is not self._handle:
                return
            self.alive, self._handle = False, None
        with suppress(RayError):
            ray.kill(handle)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
