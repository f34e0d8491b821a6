"""A tool between files: read each image, reuse output that is there, run the tool, write what is new."""

import hashlib
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from dptools.devices import free_memory, out_of_memory
from dptools.errors import DptoolsError, SampleError
from dptools.pipe.attempt import attempt
from dptools.pipe.reuse import Found, look
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target, write
from dptools.pipe.stage import Processor, ToolOptions, Worker


@dataclass(frozen=True)
class CachedFileStage:
    """The stage that every image tool's run consists of.

    Attributes:
        stage: the tool.
        out: the directory for images; None to keep them in the samples, encoded.
        force: make again what is already there.
    """

    stage: ToolOptions
    out: Path | None = None
    force: bool = False

    @property
    def tool(self) -> str:
        return self.stage.tool

    def place(self, sample_id: str) -> Path | None:
        """The file for the image of this id; None if there will be none.

        Raises:
            SampleError: the id makes no file's name.
        """
        return target(self.out, sample_id) if self.out is not None and self.stage.makes_images else None

    def build(self) -> Worker:
        return CachedFileWorker(self, self.stage.load())


@dataclass
class CachedFileWorker:
    """A :class:`CachedFileStage` stage at work. A sample waits for the tool as long as it has an entry for ``stages``.

    Attributes:
        most: how many samples the memory has room for at once, as far as is known.
    """

    options: CachedFileStage
    tool: Processor
    most: int = sys.maxsize

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """All first outputs of the samples are made together, then all second ones: what is alike goes together."""
        opened = [attempt(self._open, sample, self.options.tool) for sample in samples]
        done: dict[int, Sample] = {}
        for variant in zip_longest(*opened):
            waiting = [job for job in variant if job is not None and job.entry]
            done |= zip(map(id, waiting), self._run(waiting), strict=True)
        return [done.get(id(job), job) for jobs in opened for job in jobs]

    def _open(self, sample: Sample) -> list[Sample]:
        from dptools.pipe.opening import open_sample

        if sample.finished:
            return [sample]
        jobs = self.tool.expand(open_sample(sample, self.options.tool))
        return [done for job in jobs for done in attempt(self._prepare, job, self.options.tool)]

    def _prepare(self, job: Sample) -> list[Sample]:
        """The job with all in its entry that determines its output, or done already if that is there."""
        seed = self.options.stage.seed
        settings = {"params": self.tool.params(job)} | ({} if seed is None else {"seed": seed})
        job = replace(job, entry={**(job.entry or {}), **settings})
        if (path := self.options.place(job.id)) is None:
            return [job]
        found = look(path, job.path) if job.there is None else job.there.get(str(path))
        return [job if found is None or self.options.force else self._reuse(job, path, found)]

    def _reuse(self, job: Sample, path: Path, found: Found) -> Sample:
        if not _same(found, job, path):
            return job
        made = {
            name: value for name, value in (found.record or {}).items() if name in (self.options.stage.key, "skipped")
        }
        return _finished(job.update(**made), path, found.sha256).update(cached=True)

    def _run(self, jobs: Sequence[Sample]) -> list[Sample]:
        """All at once or, when that fails, one half after the other, so that one that fails takes none with it."""
        if len(jobs) <= 1:
            tool = self.options.tool
            return [done for job in jobs for done in attempt(lambda job: self._timed([job]), job, tool)]
        if len(jobs) <= self.most:
            try:
                return self._timed(jobs)
            except Exception as error:
                if isinstance(error, DptoolsError) and not isinstance(error, SampleError):
                    raise
                if out_of_memory(error):
                    self.most = len(jobs) // 2
        free_memory()  # here, where the error and what it holds are gone
        half = min(len(jobs) // 2, self.most)
        return self._run(jobs[:half]) + self._run(jobs[half:])

    def _timed(self, jobs: Sequence[Sample]) -> list[Sample]:
        start = time.perf_counter()
        done = list(self.tool(jobs))
        seconds = round((time.perf_counter() - start) / len(jobs), 3)
        return [self._keep(sample, seconds) for sample in done]

    def _keep(self, sample: Sample, seconds: float) -> Sample:
        """The sample with its image written, and fit to leave the process."""
        if sample.failed:
            return sample
        entry = {**(sample.entry or {}), "seconds": seconds}
        entered = sample.update(stages=[*sample.record.get("stages", []), entry])
        if not self.options.stage.makes_images:
            return Sample(entered.record)
        from dptools.pipe.image import encode

        assert sample.pixels is not None
        data = encode(sample.pixels, entered.record)
        if self.options.out is None:
            return Sample(entered.record, encoded=data)
        path = target(self.options.out, sample.id)
        if sample.there is None:
            write(path, data, self.options.out)
        done = _finished(replace(sample, entry=entry), path, hashlib.sha256(data).hexdigest())
        return done if sample.there is None else replace(done, encoded=data)


def _same(found: Found, job: Sample, path: Path) -> bool:
    """It was made of the same input in the same way, and by the same seed, which hangs on the id.

    Raises:
        SampleError: dptools did not make it.
    """
    if found.record is None:
        raise SampleError("WriteError", f"{path} is there and not made by dptools; --force replaces it")
    same_sample = all(found.record.get(name) == job.record.get(name) for name in ("id", "label"))
    return same_sample and (found.record.get("stages") or [None])[-1] == job.entry


def _finished(sample: Sample, path: Path, sha256: str) -> Sample:
    entry = {**(sample.entry or {}), "sha256": sha256}
    return Sample({**sample.record, "path": str(path), "stages": [*sample.record.get("stages", []), entry]})
