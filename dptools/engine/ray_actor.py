"""A worker on a Ray cluster: the actor, and the runner that gives batches to it.

Ray restarts an actor that dies, on any machine with room (``max_restarts``). Its ``max_task_retries`` is not used for
batches, because Ray retries a call on the same actor only. If a machine is lost and no other has room, that actor never
starts again, and its batch would wait forever while other actors are free. Instead, the call fails, and the pool gives
the batch to whichever runner is ready first. It also limits the attempts, so that an image that kills its workers
becomes an error record.
"""

import logging
import os
import pickle
import threading
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from dptools.engine.job_queue import Batch
from dptools.engine.pool import WorkerDiedError
from dptools.engine.worker_setup import forward_log, limit_torch_to_one_thread
from dptools.errors import SetupError
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage, Worker

DISTRIBUTION = "deep-protection"

STOP_TIMEOUT = 10.0
"""The time in seconds in which a call of a killed actor must end. It usually takes milliseconds."""

logger = logging.getLogger("dptools")


class ActorRunner:
    """Run a stage in an actor, which is created when there is work for it."""

    attempts = 3  # A worker may also be lost with its machine, which is not the fault of an image.

    def __init__(self, stage: Stage, resources: dict[str, float], directory: str | None) -> None:
        """Describe the actor.

        Args:
            stage: The stage to run.
            resources: The resources that the actor takes, as options of ``ray.remote``.
            directory: The directory in which relative paths of the samples are valid. None if the samples carry their
                images.
        """
        self._stage, self._resources, self._directory = stage, resources, directory
        self._actor: Any = None
        self._ready = self._stopped = False
        self._calling = threading.Lock()  # Held while the thread of the runner waits for Ray.

    def wait_until_ready(self) -> None:
        """Wait until the actor runs. If the cluster is full, wait until there is room."""
        if self._ready:
            return
        with self._calling:
            if self._actor is None:
                self._actor = self._create()
            if self._stopped:  # stop() may have run before there was an actor to kill.
                raise SetupError("the run has ended")
            try:
                ray.get(self._actor.ready.remote())
            except RayActorError as error:
                reason = str(error).strip().splitlines()[-1]  # The lines before it are a stack trace.
                raise SetupError(f"a Ray worker cannot be started: {reason}") from error
        self._ready = True

    def run(self, batch: Batch) -> Batch:
        """Return the finished samples of the batch; see :class:`dptools.engine.pool.Runner`."""
        results: Batch
        try:
            with self._calling:
                results, messages = ray.get(self._actor.run.options(max_task_retries=0).remote(batch))
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            self._ready = False
            logger.info("a Ray worker died, and another one gets its images: %s", _first_line(error))
            ended = isinstance(error, RayActorError)
            raise WorkerDiedError("the process or its machine ended" if ended else _first_line(error)) from None
        for message in messages:
            logger.info("%s", message)
        return results

    def stop(self) -> None:
        """Kill the actor, and wait until no thread waits for it. Ray crashes if it is shut down before that."""
        self._stopped = True
        if self._actor is not None:
            with suppress(RayError):
                ray.kill(self._actor)
        self._calling.acquire(timeout=STOP_TIMEOUT)  # Not released, because the runner makes no further call.

    def _create(self) -> Any:
        options = {"max_restarts": -1, "max_task_retries": -1, **self._resources}
        actor_class = ray.remote(RemoteStage).options(**options)
        return actor_class.remote(pickle.dumps(self._stage), self._directory, version(DISTRIBUTION))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


class RemoteStage:
    """The actor: runs a stage on one machine of the cluster."""

    def __init__(self, pickled_stage: bytes, directory: str | None, expected_version: str) -> None:
        """Prepare the process. The stage is built with the first batch.

        Args:
            pickled_stage: The stage to run. Another version of dptools may be unable to unpickle it.
            directory: The directory in which to run it. None for the root directory.
            expected_version: The version of dptools that sends the samples.
        """
        self.pickled_stage, self.directory, self.expected_version = pickled_stage, directory, expected_version
        self.worker: Worker | None = None
        self.messages: list[str] = []
        limit_torch_to_one_thread()
        forward_log(self.messages.append)

    def ready(self) -> None:
        """Return when the actor runs. Ray repeats this call after a restart."""

    def run(self, batch: Batch) -> tuple[Batch, list[str]]:
        """Return the finished samples and the messages that were logged.

        Raises:
            SetupError: This machine has another version of dptools, or lacks the directory or a shard.
            DptoolsError: The stage cannot be built.
        """
        self.messages.clear()
        self.worker = self.worker or self._build()
        for sample in batch:
            self._check_readable(sample)
        return list(self.worker(batch)), self.messages

    def _check_readable(self, sample: Sample) -> None:
        """Check that this machine has the shard of a sample. The engine's own process has just read its headers."""
        if sample.extent and not os.path.exists(sample.extent.path):
            raise SetupError(
                f"{os.uname().nodename} in the Ray cluster has no file {sample.extent.path}: "
                "share it or send the images (--ship)"
            )

    def _build(self) -> Worker:
        host = os.uname().nodename
        if (installed := version(DISTRIBUTION)) != self.expected_version:
            raise SetupError(f"{host} in the Ray cluster has dptools {installed}, but this is {self.expected_version}")
        try:
            os.chdir(self.directory or "/")
        except OSError:
            raise SetupError(
                f"{host} in the Ray cluster has no directory {self.directory}: share it or send the images (--ship)"
            ) from None
        stage: Stage = pickle.loads(self.pickled_stage)
        return stage.build()
