"""The Ray engine: run a stage on the machines of a Ray cluster that is running already."""

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

# Ray reads both variables when it is imported. The first prevents Ray from connecting again if a thread calls it
# after its shutdown. The second prevents Ray from printing a stack trace and aborting on SIGTERM.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
os.environ["RAY_DISABLE_FAILURE_SIGNAL_HANDLER"] = "1"

import ray

from dptools.engine.pool import WorkerPool
from dptools.engine.ray_actor import ActorRunner
from dptools.errors import SetupError, UsageError
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage


@dataclass(frozen=True)
class Cluster:
    """Run a stage on a Ray cluster.

    Attributes:
        address: The address of the cluster, as ``ray.init`` takes it. None for the one in ``RAY_ADDRESS``.
        jobs: The number of workers. None for as many as fit on the GPUs or, if a worker takes no GPU, one per core.
        batch_size: The maximum number of samples that a worker gets at once. None for ``gpu_batch`` on GPUs, else 1.
        ordered: Whether results are in the order of the input. Otherwise they come in the order of completion.
        gpus: The number of GPUs that a worker takes, such as 0.5. With 0, it takes a core instead. None stands for 1 if
            the cluster has GPUs, and otherwise for 0.
        gpu_batch: The batch size that uses a GPU well.
        shared: Whether workers find files under the same paths as this process. Otherwise samples carry their images.
    """

    address: str | None = None
    jobs: int | None = None
    batch_size: int | None = None
    ordered: bool = True
    gpus: float | None = None
    gpu_batch: int = 1
    shared: bool = True

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Run the stage; see :class:`dptools.pipe.stage.Engine`.

        Raises:
            SetupError: No cluster is named, the cluster does not answer, or it lacks a GPU.
            UsageError: The cluster cannot hold one worker, and ``jobs`` is not set.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Users of an image tool do not expect usage reports.
        with _silence_ray():
            _connect(_known_address(self.address))
            try:
                yield from self._pool(stage)(samples)
            finally:
                ray.shutdown()

    def _pool(self, stage: Stage) -> WorkerPool:
        gpus = self._gpus_per_worker()
        resources: dict[str, float] = {"num_gpus": gpus, "num_cpus": 0} if gpus else {"num_gpus": 0, "num_cpus": 1}
        directory = os.getcwd() if self.shared else None
        runners = [ActorRunner(stage, resources, directory) for _ in range(self._jobs(gpus))]
        return WorkerPool(stage.tool, runners, self.batch_size or (self.gpu_batch if gpus else 1), self.ordered)

    def _gpus_per_worker(self) -> float:
        available = ray.cluster_resources().get("GPU", 0.0)
        if self.gpus and not available:
            raise SetupError("the Ray cluster has no GPU")
        return (1.0 if available else 0.0) if self.gpus is None else self.gpus

    def _jobs(self, gpus: float) -> int:
        resources = ray.cluster_resources()
        capacity = resources.get("GPU", 0.0) / gpus + 1e-9 if gpus else resources.get("CPU", 0.0)  # 1e-9: rounding
        if not (jobs := self.jobs or int(capacity)):
            raise UsageError(
                "the Ray cluster cannot hold one worker: if it grows on demand, set the number of workers with -j"
            )
        return jobs


def _known_address(address: str | None) -> str:
    """Return the address; None stands for the one in ``RAY_ADDRESS``.

    dptools starts no cluster itself, because Ray may leave its processes running.

    Raises:
        SetupError: No cluster is named.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    if not address or address == "local":
        raise SetupError(
            "no Ray cluster is named: start one with 'ray start --head' and give its address, such as "
            "ray:127.0.0.1:6379, or set RAY_ADDRESS"
        )
    return address


@contextmanager
def _silence_ray() -> Iterator[None]:
    """Discard what Ray prints on standard output, which holds the results. With DPTOOLS_DEBUG, it goes to stderr."""
    with open(os.devnull, "w") as null, redirect_stdout(sys.stderr if os.environ.get("DPTOOLS_DEBUG") else null):
        yield


def _connect(address: str) -> None:
    """Connect this process to the cluster.

    Raises:
        SetupError: There is no cluster at the address.
    """
    _check_answers(address)
    logging.getLogger("ray").setLevel(logging.ERROR)  # Its warnings are about settings that are intended here.
    connected: Future[None] = Future()
    # In the main thread, Ray would install its own SIGTERM handler. The exit status would then not show the signal.
    threading.Thread(target=_initialise, args=(address, connected), daemon=True).start()
    try:
        connected.result()
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SetupError(f"no Ray cluster at {address}: {reason}") from None
    # Older versions of Ray install a handler in C that prints a stack trace. This call restores Python's handler.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _initialise(address: str, connected: Future[None]) -> None:
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        connected.set_result(None)
    except BaseException as error:
        connected.set_exception(error)


def _check_answers(address: str) -> None:
    """Check within seconds that something listens at the address. Ray alone would take minutes.

    Raises:
        SetupError: Nothing listens there.
    """
    host_and_port = re.fullmatch(r"(?:ray://)?\[?([^/\]]+?)\]?:(\d{1,5})", address)
    try:
        if host_and_port:
            socket.create_connection((host_and_port[1], int(host_and_port[2])), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise SetupError(f"no Ray cluster at {address}: {error}") from None
