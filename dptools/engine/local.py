"""Workers on this machine: processes, of which one that dies takes one image with it, not the run; or threads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dptools.engine.pool import Runner, WorkerPool
from dptools.engine.process import Process
from dptools.engine.thread import Shared
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage


@dataclass(frozen=True)
class Local:
    """Run a stage in several workers.

    Attributes:
        jobs: processes, one thread each; or threads.
        batch_size: the most samples that a worker is given at once.
        ordered: results in the order of the input; else as they come.
    """

    jobs: int
    batch_size: int = 1
    ordered: bool = True
    threads: bool = False

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        shared = Shared(stage)
        runners: list[Runner] = [shared if self.threads else Process(stage) for _ in range(self.jobs)]
        return WorkerPool(runners, self.batch_size, self.ordered)(samples)
