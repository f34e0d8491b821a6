"""Run a tool on image files: read each image, reuse its output if it exists, else run the tool and write the output.

:mod:`dptools.pipe.reuse` defines when an existing output is reused: it lists all parts of the cache key.

:class:`CachedFileWorker` processes a sample in four steps:

1. ``_jobs``: read the image. The tool expands the sample into one job for each output.
2. ``_prepare``: add the parameters and the seed to the job's entry, which completes the cache key. If a reusable output
   exists, the job is finished.
3. ``_process``: the tool processes the remaining jobs of a batch together.
4. ``_finish``: write the image, with the record inside, and return the record.
"""

import hashlib
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from dptools.devices import free_memory, out_of_memory
from dptools.errors import DptoolsError, SampleError
from dptools.pipe.attempt import attempt
from dptools.pipe.file_formats import SUFFIXES, FileInfo, FileOptions
from dptools.pipe.record import Record
from dptools.pipe.reuse import check_replaceable, file_facts, find_output, has_file, is_reusable, origin
from dptools.pipe.sample import ExistingOutput, Sample
from dptools.pipe.shard_names import is_output_shard, output_path
from dptools.pipe.sidecar import pop_trace, trace_lines, write_output
from dptools.pipe.sink import target
from dptools.pipe.stage import Processor, ToolOptions, Worker


@dataclass(frozen=True)
class CachedFileStage:
    """The stage of an image tool: its options, and where its outputs go.

    Attributes:
        options: The tool's options.
        out: The directory or the shard for images. None keeps each image in its sample, encoded.
        force: Whether existing outputs are made again, and other files are replaced.
        file: What the images are like.
    """

    options: ToolOptions
    out: Path | None = None
    force: bool = False
    file: FileOptions = field(default_factory=FileOptions)

    @property
    def tool(self) -> str:
        """The name of the tool."""
        return self.options.tool

    @property
    def traced(self) -> bool:
        """Whether a trace was requested."""
        return self.options.trace is not None

    def output_path(self, sample_id: str, info: FileInfo | None) -> Path | None:
        """Return the path of an output image; None if the output has no file.

        Args:
            sample_id: The id of the sample.
            info: The file of the input.

        Raises:
            SampleError: No file name can be made from the id.
        """
        if self.out is None or not self.options.makes_images:
            return None
        if is_output_shard(self.out):
            return output_path(self.out, sample_id)
        suffixes = SUFFIXES[self.file.format.resolve(info).name]
        return target(self.out, sample_id, suffixes[0], suffixes if self.file.format.name == "same" else ())

    def find_output(self, path: Path, sample: Sample) -> ExistingOutput | None:
        """Return the output that exists at a path, as :func:`dptools.pipe.reuse.find_output` does."""
        return find_output(path, sample.path, self.traced)

    def write(self, path: Path, done: Sample, image: bytes) -> None:
        """Write the image and the trace of a finished sample.

        Raises:
            SampleError: They cannot be written. Or another process has meanwhile written the image, from another input.
        """
        assert self.out is not None
        check = None if self.force else partial(self._check, path, done)
        write_output(path, image, done.trace, self.out, check)

    def _check(self, path: Path, done: Sample) -> None:
        if existing := find_output(path, ""):
            check_replaceable(existing, done, path)

    def build(self) -> Worker:
        """Load the tool, and return the worker that runs it."""
        return CachedFileWorker(self, self.options.load())


@dataclass
class CachedFileWorker:
    """Processes samples for a :class:`CachedFileStage`.

    A job is a sample that stands for one output. It is pending while :attr:`Sample.entry` is set.

    Attributes:
        stage: The stage.
        processor: The loaded tool.
        capacity: The maximum number of images that are processed together. It is reduced when memory is exhausted.
    """

    stage: CachedFileStage
    processor: Processor
    capacity: int = sys.maxsize

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Return the finished jobs of all samples, in the order of the samples.

        The first jobs of all samples are processed together, then the second ones, and so on. Jobs in the same position
        have the same settings, such as the same attack.
        """
        jobs_of_samples = [attempt(self._jobs, sample, self.stage.tool) for sample in samples]
        finished: dict[int, Sample] = {}
        for jobs in zip_longest(*jobs_of_samples):
            pending = [job for job in jobs if job is not None and job.entry]
            finished |= zip(map(id, pending), self._run(pending), strict=True)
        return [finished.get(id(job), job) for jobs in jobs_of_samples for job in jobs]

    def _jobs(self, sample: Sample) -> list[Sample]:
        from dptools.pipe.opening import open_sample

        if sample.finished:
            return [sample]
        opened = open_sample(sample, self.stage.tool)
        path = self.stage.output_path(sample.id, opened.info)
        if path and opened.origin is None and has_file(sample):
            opened = replace(opened, origin=origin(sample.path, path))
        jobs = self.processor.expand(opened)
        return [prepared for job in jobs for prepared in attempt(self._prepare, job, self.stage.tool)]

    def _prepare(self, job: Sample) -> list[Sample]:
        """Complete the job's entry, and finish the job if it can reuse an existing output."""
        seed = self.stage.options.seed
        settings = {"params": self.processor.params(job)} | ({} if seed is None else {"seed": seed})
        if self.stage.options.makes_images and (file := self.stage.file.params):
            settings["output"] = file
        job = replace(job, entry={**(job.entry or {}), **settings})
        if (path := self.stage.output_path(job.id, job.info)) is None:
            return [job]
        output = self.stage.find_output(path, job) if job.existing is None else job.existing.get(str(path))
        return [job if output is None or self.stage.force else self._reuse(job, path, output)]

    def _reuse(self, job: Sample, path: Path, output: ExistingOutput) -> Sample:
        """Return the job as finished with an existing output, or unchanged if it must be made again."""
        if not is_reusable(output, job, path, self.stage.traced) or not self.stage.file.record:
            return job
        results = {
            key: value for key, value in (output.record or {}).items() if key in (self.stage.options.key, "skipped")
        }
        job = job.update(**results)
        record = {**_with_entry(job, sha256=output.sha256), "path": str(path), "cached": True}
        return Sample(record, trace=self._trace(job, output.trace or ()))

    def _run(self, jobs: Sequence[Sample]) -> list[Sample]:
        """Process jobs together. If that fails, process each half alone, so that only the faulty job fails."""
        if not jobs:
            return []
        if len(jobs) == 1:
            return attempt(self._process, jobs[0], self.stage.tool)
        if len(jobs) <= self.capacity:
            try:
                return self._process(*jobs)
            except Exception as error:
                if isinstance(error, DptoolsError) and not isinstance(error, SampleError):
                    raise
                if out_of_memory(error):
                    self.capacity = len(jobs) // 2
        free_memory()  # outside of the except block, where the error still refers to the tensors
        half = min(len(jobs) // 2, self.capacity)
        return self._run(jobs[:half]) + self._run(jobs[half:])

    def _process(self, *jobs: Sample) -> list[Sample]:
        start = time.perf_counter()
        results = list(self.processor(jobs))
        seconds = round((time.perf_counter() - start) / len(jobs), 3)
        return [
            done
            for job, result in zip(jobs, results, strict=True)
            for done in attempt(partial(self._finish, result=result, seconds=seconds), job, self.stage.tool)
        ]

    def _finish(self, job: Sample, result: Sample, seconds: float) -> list[Sample]:
        """Write the result of a job, and return it with a complete record and without pixels."""
        if result.failed:
            return [result]
        result, trace = pop_trace(result, self.stage.options.key)
        done = Sample(_with_entry(result, seconds=seconds), trace=self._trace(result, trace))
        if not self.stage.options.makes_images:
            return [done]
        from dptools.pipe.encoding import encode

        assert result.pixels is not None
        path = self.stage.output_path(job.id, job.info)
        data = encode(result.pixels, done.record, self.stage.file, job.info, file_facts(job) if path else None)
        if path is None:
            return [replace(done, encoded=data)]
        sha256 = hashlib.sha256(data).hexdigest()
        record = {**_with_entry(result, seconds=seconds, sha256=sha256), "path": str(path)}
        done = replace(done, record=record, origin=job.origin)
        if job.existing is not None:  # the main process writes the image, because this worker cannot access its files
            return [replace(done, encoded=data, input=job.record)]
        self.stage.write(path, done, data)
        return [Sample(done.record, trace=done.trace)]

    def _trace(self, sample: Sample, trace: Iterable[Record]) -> tuple[Record, ...] | None:
        return trace_lines(sample.record, trace) if self.stage.traced else None


def _with_entry(sample: Sample, **results: object) -> Record:
    """Return the sample's record with its entry, and these keys in the entry, appended to ``stages``."""
    entry = {**(sample.entry or {}), **results}
    return {**sample.record, "stages": [*sample.record.get("stages", []), entry]}
