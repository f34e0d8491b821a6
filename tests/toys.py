"""Minimal stages and tools for tests of the pipe and the engines, which know no domain."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dptools.errors import SetupError
from dptools.pipe.record import SCHEMA_VERSION, Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolOptions, Worker


def sample(name: str, **record: object) -> Sample:
    """Return a sample without an image, whose id, path and source are its name."""
    return Sample({"schema": SCHEMA_VERSION, "id": name, "path": name, "source": name, **record})


@dataclass(frozen=True)
class Toy:
    """A stage that performs the action in each sample's ``do`` key.

    Attributes:
        log: A file to which each worker appends its process id when it is built.
    """

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
                case "print":
                    print("a library speaks", flush=True)
                case "tell":
                    logging.getLogger("dptools.toy").info("%s: half way", item.id)
                case "setup":
                    raise SetupError("no weights")
            yield item.update(worker=os.getpid(), batch=len(samples))


@dataclass(frozen=True)
class Invert(ToolOptions):
    """A tool that inverts images and fails for a sample whose id contains "bad".

    Attributes:
        log: A file to which the tool appends the id of each sample that it processes.
        id_suffixes: Suffixes; each sample is expanded into one sample per suffix.
        model: The path of a file that is among the parameters.
        room: The largest batch that does not raise MemoryError. The size of each batch is appended to ``LOG.tries``.
    """

    tool = "dp-invert"
    key = "invert"

    log: Path
    id_suffixes: tuple[str, ...] = ("",)
    strength: int = 1
    seed: int | None = 0
    room: int | None = None
    model: str | None = None

    def load(self) -> "InvertProcessor":
        return InvertProcessor(self)


@dataclass(frozen=True)
class InvertProcessor:
    """The processor of `Invert`."""

    options: Invert

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.update(id=f"{sample.id}{variant}") for variant in self.options.id_suffixes]

    def params(self, sample: Sample) -> Record:
        return {"strength": self.options.strength, **({"model": self.options.model} if self.options.model else {})}

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
