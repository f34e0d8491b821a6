"""Workers on the machines of a Ray cluster: actors, of which one that is lost, or its machine, loses no image."""

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass

# Before Ray is imported: or a thread that asks when all is over begins anew, and SIGTERM prints a trace and aborts.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
os.environ["RAY_DISABLE_FAILURE_SIGNAL_HANDLER"] = "1"

import ray

from dptools.engine.keeper import own_ray
from dptools.engine.pool import WorkerPool
from dptools.engine.ray_actor import Actor
from dptools.errors import SetupError, UsageError
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage


@dataclass(frozen=True)
class Cluster:
    """Run a stage on a Ray cluster.

    Attributes:
        address: of the cluster, as ``ray.init`` takes it; None for that of ``RAY_ADDRESS`` or, without it, a cluster of
            this machine, which ends with the run.
        jobs: workers; None for as many as the cluster has cores, or shares of GPUs.
        batch_size: the most samples that a worker is given at once; None for ``gpu_batch`` on GPUs, else 1.
        ordered: results in the order of the input; else as they come.
        gpus: that a worker takes, of which 0.5 is half of one; 0 for a core instead; None for one, if there are any.
        gpu_batch: images that a GPU gains from at once.
        shared: workers find files where this process does; else they are given all that they need.
    """

    address: str | None = None
    jobs: int | None = None
    batch_size: int | None = None
    ordered: bool = True
    gpus: float | None = None
    gpu_batch: int = 1
    shared: bool = True

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # who runs an image tool does not expect it to tell
        with _silence(), self._there() as address:
            _connect(address)
            try:
                yield from self._crew(stage)(samples)
            finally:
                ray.shutdown()

    def _there(self) -> AbstractContextManager[str]:
        """The address of a cluster that is there already or, without one, of a new one."""
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        return own_ray() if address == "local" else nullcontext(address)

    def _crew(self, stage: Stage) -> WorkerPool:
        gpus = self._gpus()
        options: dict[str, float] = {"num_gpus": gpus, "num_cpus": 0} if gpus else {"num_gpus": 0, "num_cpus": 1}
        place = os.getcwd() if self.shared else None
        actors: list[Actor] = []
        actors += (Actor(stage, options, place, actors) for _ in range(self._jobs(gpus)))
        return WorkerPool(actors, self.batch_size or (self.gpu_batch if gpus else 1), self.ordered)

    def _gpus(self) -> float:
        there = ray.cluster_resources().get("GPU", 0.0)
        if self.gpus and not there:
            raise SetupError("the Ray cluster has no GPU")
        return (1.0 if there else 0.0) if self.gpus is None else self.gpus

    def _jobs(self, gpus: float) -> int:
        there = ray.cluster_resources()
        room = there.get("GPU", 0.0) // gpus if gpus else there.get("CPU", 0.0)
        if not (jobs := self.jobs or int(room)):
            raise UsageError("the Ray cluster has no room for one worker: give -j, if it grows when it is asked")
        return jobs


@contextmanager
def _silence() -> Iterator[None]:
    """Ray tells of what it lost on standard output, which holds results: only a developer sees that."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(sys.stderr if os.environ.get("DPTOOLS_DEBUG") else nowhere):
        yield


def _connect(address: str) -> None:
    """
    Raises:
        SetupError: there is no cluster.
    """
    _check_answers(address)
    logging.getLogger("ray").setLevel(logging.ERROR)  # it warns of what is meant
    done: Future[None] = Future()
    # In the main thread Ray would take SIGTERM for itself, and end with a status that says nothing of a signal.
    threading.Thread(target=_join, args=(address, done), daemon=True).start()
    try:
        done.result()
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SetupError(f"no Ray cluster at {address}: {reason}") from None
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # an older Ray prints a trace all the same


def _join(address: str, done: Future[None]) -> None:
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        done.set_result(None)
    except BaseException as error:
        done.set_exception(error)


def _check_answers(address: str) -> None:
    """Find out quickly what Ray would find out in minutes.

    Raises:
        SetupError: nobody answers there.
    """
    found = re.fullmatch(r"(?:ray://)?\[?([^/\]]+?)\]?:(\d{1,5})", address)
    try:
        if found:
            socket.create_connection((found[1], int(found[2])), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise SetupError(f"no Ray cluster at {address}: {error}") from None
