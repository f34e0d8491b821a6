"""The interfaces between the pipe, the engines and the tools."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import ClassVar, Protocol

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample

Worker = Callable[[Sequence[Sample]], Iterable[Sample]]
"""Processes a batch of samples. It returns one or more finished samples for each, in the same order."""


class Stage(Protocol):
    """A picklable description of work. The process that does the work builds it, which loads models and data.

    Attributes:
        tool: The name of the tool, for error records.
    """

    @property
    def tool(self) -> str: ...
    def build(self) -> Worker:
        """Load everything, and return the worker."""


class Engine(Protocol):
    """Runs a stage, in this process or in others."""

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Run a stage over samples, and yield each result as soon as it is available."""


class Processor(Protocol):
    """A loaded tool. :class:`dptools.pipe.cached_files.CachedFileWorker` calls it."""

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """Return one sample for each output of this sample, each with its own id."""

    def params(self, sample: Sample) -> Record:
        """Return all settings that determine the output, for the cache key; see :mod:`dptools.pipe.reuse`."""

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Process samples that have pixels.

        Returns:
            One sample for each, in the same order, with the tool's own key set in its record. A tool that makes images
            also sets new pixels. A sample that fails is returned as an error record.

        Raises:
            Exception: The batch failed. The samples are tried again in smaller batches, at last one by one.
        """


class ToolOptions(Protocol):
    """The options of a tool, from which :class:`dptools.pipe.cached_files.CachedFileStage` makes a stage.

    Attributes:
        tool: The name of the program.
        key: The tool's own key in the record.
        makes_images: Whether its results are images; otherwise they are records only.
        gpu_batch: The number of images that a GPU processes together most efficiently.
        lossless_reason: Why the pixels of its images must not change when they are written; empty if they may.
    """

    tool: ClassVar[str]
    key: ClassVar[str]
    makes_images: ClassVar[bool] = True
    gpu_batch: ClassVar[int] = 1
    lossless_reason: ClassVar[str] = ""

    @property
    def seed(self) -> int | None:
        """The seed of the run; None for a tool that uses no randomness."""
        return None

    @property
    def io_bound(self) -> bool:
        """Whether the tool mostly waits for a service. It then runs in threads, which may outnumber the cores."""
        return False

    @property
    def unbatched(self) -> bool:
        """Whether samples are processed one by one, so that a failure does not repeat requests to a service."""
        return self.io_bound

    @property
    def uses_gpu(self) -> bool:
        """Whether the tool computes on a GPU if there is one."""
        return True

    @property
    def trace(self) -> Path | None:
        """The file for the trace; None if no trace was requested. See :mod:`dptools.pipe.sidecar`."""
        return None

    @property
    def text(self) -> Callable[[Record], str] | None:
        """The function that formats a finished record for standard output, including newlines.

        None writes the record itself. If there is a function, an output directory is optional.
        """
        return None

    @property
    def text_hint(self) -> str:
        """How to get a text instead of images and records, for an error message; empty if there is no such format."""
        return ""

    @property
    def extra_directories(self) -> tuple[Path, ...]:
        """The directories that the tool writes files into, besides the output directory."""
        return ()

    @property
    def single_image_reason(self) -> str | None:
        """Why the options are valid for a single input image only, as a message; None if they are valid for several."""
        return None

    @property
    def id_suffixes(self) -> tuple[str, ...]:
        """The suffixes that :meth:`Processor.expand` appends to the id, one for each output."""
        return ("",)

    def collect(self, emit: Callable[[Sample], None]) -> AbstractContextManager[Callable[[Sample], None]]:
        """Return a context that provides the function to which results are given, around the whole run.

        A tool that sums up its results, such as a calibration, collects them there and passes them on to ``emit``.
        """
        return nullcontext(emit)

    def load(self) -> Processor:
        """Load everything the tool needs.

        Raises:
            DptoolsError: Something it needs is missing, or an option is invalid.
        """
