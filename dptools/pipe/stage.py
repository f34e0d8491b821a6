"""What a tool must be to run in the pipe, and the part that all image tools share: read, reuse, run, write."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from dptools.errors import DptoolsError, SampleError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target, write

Worker = Callable[[Sequence[Sample]], Iterable[Sample]]
"""Samples in, the finished ones out: the same order, one or more for each."""


class Stage(Protocol):
    """Options that can be sent to another process, and that load there what they need."""

    @property
    def tool(self) -> str: ...
    def build(self) -> Worker: ...


class Tool(Protocol):
    """A tool with all that it needs loaded: what :class:`Filed` runs on samples that have pixels."""

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """The outputs that are wanted of a sample, as samples whose ids differ."""

    def params(self, sample: Sample) -> Record:
        """All that determines this sample's output besides the input, the seed and the version of dptools."""

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """The samples with the tool's own key set and, from a tool that makes images, with new pixels."""


class ToolStage(Protocol):
    """A tool's options, from which :class:`Filed` makes a stage."""

    @property
    def tool(self) -> str: ...
    @property
    def key(self) -> str:
        """The tool's own key in the record."""

    @property
    def makes_images(self) -> bool: ...
    @property
    def seed(self) -> int | None:
        """The run's seed; None for a tool that draws nothing at random."""

    def load(self) -> Tool: ...


@dataclass(frozen=True)
class Filed:
    """A tool's stage between files: reads and decodes each image, reuses finished output, writes what is new.

    Attributes:
        stage: the tool.
        out: the directory for images; None to keep them in the samples, encoded.
        force: make again what is already there.
    """

    stage: ToolStage
    out: Path | None = None
    force: bool = False

    @property
    def tool(self) -> str:
        return self.stage.tool

    def build(self) -> Worker:
        return FiledWorker(self, self.stage.load())


@dataclass(frozen=True)
class FiledWorker:
    """A :class:`Filed` stage at work."""

    options: Filed
    tool: Tool

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        jobs = [job for sample in samples for job in self._attempt(self._open, sample)]
        waiting = [job for job in jobs if not job.finished and not job.record.get("cached")]
        size = len(samples)
        chunks = [waiting[start : start + size] for start in range(0, len(waiting), size)]
        done = iter([sample for chunk in chunks for sample in self._run(chunk)])
        return [job if job.finished or job.record.get("cached") else next(done) for job in jobs]

    def _attempt(self, step: Callable[[Sample], list[Sample]], sample: Sample) -> list[Sample]:
        """Run a step on one sample; whatever is wrong with it goes into its record."""
        name = self.options.tool
        try:
            return step(sample)
        except SampleError as error:
            return [sample.fail(name, error.kind, error.message)]
        except DptoolsError:
            raise
        except MemoryError:
            return [sample.fail(name, "OutOfMemory", "too large for the memory at hand")]
        except Exception as error:
            if os.environ.get("DPTOOLS_DEBUG"):
                raise
            kind = type(error).__name__
            return [sample.fail(name, kind, f"unexpected {kind}: {error}")]

    def _open(self, sample: Sample) -> list[Sample]:
        if sample.finished:
            return [sample]
        data = sample.encoded if sample.encoded is not None else _read(sample.path)
        opened = _opened(sample, data, self.options.tool)
        return [self._reuse(job) for job in self.tool.expand(opened)]

    def _reuse(self, job: Sample) -> Sample:
        """The job with its stage entered, or done already if its output is there."""
        from dptools.pipe.image import embedded_record

        seed = {} if self.options.stage.seed is None else {"seed": self.options.stage.seed}
        entry = {**job.record["stages"][-1], "params": self.tool.params(job), **seed}
        job = job.update(stages=[*job.record["stages"][:-1], entry])
        if self.options.out is None or not self.options.stage.makes_images:
            return job
        path = target(self.options.out, job.id)
        if not path.exists():
            return job
        if os.path.exists(job.path) and os.path.samefile(path, job.path):
            raise SampleError("WriteError", "the output would overwrite its input; name another directory with -o")
        if self.options.force:
            return job
        data = path.read_bytes()
        found = embedded_record(data)
        if not found or found.get("stages", [None])[-1] != entry:
            return job
        return _written(job.update(**_made_by(found, self.options.stage.key)), path, data).update(cached=True)

    def _run(self, jobs: Sequence[Sample]) -> list[Sample]:
        """All at once, or, when that fails, each by itself, so that one takes none with it."""
        try:
            return self._timed(jobs)
        except DptoolsError as error:
            if not isinstance(error, SampleError):
                raise
        except Exception:
            if len(jobs) == 1 and os.environ.get("DPTOOLS_DEBUG"):
                raise
        return [done for job in jobs for done in self._attempt(lambda job: self._timed([job]), job)]

    def _timed(self, jobs: Sequence[Sample]) -> list[Sample]:
        start = time.perf_counter()
        done = list(self.tool(jobs))
        seconds = round((time.perf_counter() - start) / len(jobs), 3)
        return [self._keep(sample, seconds) for sample in done]

    def _keep(self, sample: Sample, seconds: float) -> Sample:
        """The sample with its image written, and its record fit to leave the process."""
        *before, entry = sample.record["stages"]
        sample = sample.update(stages=[*before, {**entry, "seconds": seconds}])
        if not self.options.stage.makes_images:
            return Sample(sample.record)
        from dptools.pipe.image import encode

        assert sample.pixels is not None
        data = encode(sample.pixels, sample.record)
        if self.options.out is None:
            return Sample(sample.record, encoded=data)
        path = target(self.options.out, sample.id)
        write(path, data, self.options.out)
        return _written(sample, path, data)


def _read(path: str) -> bytes:
    if path == "-":
        raise SampleError("FileNotFoundError", "the image came through standard input and has no file")
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SampleError(type(error).__name__, error.strerror or str(error)) from None
    except ValueError as error:
        raise SampleError("BadPath", str(error)) from None


def _opened(sample: Sample, data: bytes, tool: str) -> Sample:
    """The sample with its pixels, what its file knows of it, and an entry in ``stages`` begun for this tool."""
    from dptools.pipe.image import decode

    image = decode(data)
    record = _merged(sample, image.record) if image.record else sample.record
    entry: dict[str, Any] = {
        "tool": tool,
        "version": version("dptools"),
        "params": {},
        "input_sha256": hashlib.sha256(data).hexdigest(),
        **({"notes": list(image.notes)} if image.notes else {}),
    }
    record = {**record, "stages": [*record.get("stages", []), entry]}
    record.pop("cached", None)
    return replace(sample, record=record, pixels=image.pixels, encoded=None)


def _merged(sample: Sample, inside: Record) -> Record:
    """A file's own record serves where none came with it: one out of a record stream has its ``stages`` already."""
    if "stages" in sample.record:
        return sample.record
    inside = {key: value for key, value in inside.items() if key not in ("error", "skipped", "path")}
    given = dict(sample.record)
    if sample.encoded is not None:
        given.pop("id")
    return {**inside, **given, "source": inside.get("source", given["source"]), "id": given.get("id", inside["id"])}


def _made_by(record: Record, key: str) -> Record:
    """The keys of a finished output's record that its last tool made."""
    return {name: record[name] for name in (key, "label", "skipped") if name in record}


def _written(sample: Sample, path: Path, data: bytes) -> Sample:
    *before, entry = sample.record["stages"]
    entry = {**entry, "sha256": hashlib.sha256(data).hexdigest()}
    return Sample({**sample.record, "path": str(path), "stages": [*before, entry]})
