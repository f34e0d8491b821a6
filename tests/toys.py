"""Stages and tools that do next to nothing: for tests of the pipe and the engines, which know no domain."""

import logging
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dptools.errors import SetupError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolOptions, Worker


def sample(name: str, **record: object) -> Sample:
    return Sample({"schema": 1, "id": name, "path": name, "source": name, **record})


@dataclass(frozen=True)
class Toy:
    """A stage that does what each sample's ``do`` says."""

    tool: str = "dp-toy"
    log: Path | None = None

    def build(self) -> Worker:
        if self.log:
            with self.log.open("a") as log:
                log.write(f"{os.getpid()}\n")
        return self.work

    def work(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        for item in samples:
            match item.record.get("do"):
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "leave":
                    os._exit(7)
                case "sleep":
                    time.sleep(item.record["seconds"])
                case "print":
                    print("a library speaks", flush=True)
                case "tell":
                    logging.getLogger("dptools.toy").info("%s: half way", item.id)
                case "setup":
                    raise SetupError("no weights")
            yield item.update(worker=os.getpid(), batch=len(samples))


@dataclass(frozen=True)
class Invert(ToolOptions):
    """A tool that inverts images; it fails on those whose id says so, has room for so many at once, and logs."""

    tool = "dp-invert"
    key = "invert"

    log: Path
    variants: tuple[str, ...] = ("",)
    strength: int = 1
    seed: int | None = 0
    room: int | None = None

    def load(self) -> "Inverting":
        return Inverting(self)


@dataclass(frozen=True)
class Inverting:
    options: Invert

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.update(id=f"{sample.id}{variant}") for variant in self.options.variants]

    def params(self, sample: Sample) -> Record:
        return {"strength": self.options.strength}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        if self.options.room is not None:
            with Path(f"{self.options.log}.tries").open("a") as tries:
                tries.write(f"{len(samples)}\n")
            if len(samples) > self.options.room:
                raise MemoryError
        for item in samples:
            with self.options.log.open("a") as log:
                log.write(f"{item.id}\n")
            if "bad" in item.id:
                raise ValueError("cannot invert this one")
            assert item.pixels is not None
            yield replace(item.update(invert={"seed": item.seed(self.options.seed or 0)}), pixels=255 - item.pixels)
