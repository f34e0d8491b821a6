"""What runs in the pipe."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample

Worker = Callable[[Sequence[Sample]], Iterable[Sample]]
"""Samples in, the finished ones out: the same order, one or more for each."""


class Stage(Protocol):
    """Options that can be sent to another process, and that load there what they need."""

    @property
    def tool(self) -> str: ...
    def build(self) -> Worker: ...


class Engine(Protocol):
    """Runs stages."""

    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Run a stage over samples; results come as soon as they are there."""


class Processor(Protocol):
    """A tool with all that it needs loaded: what :class:`dptools.pipe.cached_files.CachedFileStage` runs on samples that have pixels."""

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """The outputs that are wanted of a sample, as samples whose ids differ."""

    def params(self, sample: Sample) -> Record:
        """All that determines this sample's output besides the input, the seed and the version of dptools."""

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """The samples with the tool's own key set and, from a tool that makes images, with new pixels; one that fails
        while others do not, as an error record. Whatever is raised, the samples are tried again one by one."""


class ToolOptions(Protocol):
    """A tool's options, from which :class:`dptools.pipe.cached_files.CachedFileStage` makes a stage.

    Attributes:
        tool: the program's name.
        key: the tool's own key in the record.
        makes_images: it does; else its results are records only.
        gpu_batch: how many images it gains from at once on a GPU.
    """

    tool: ClassVar[str]
    key: ClassVar[str]
    makes_images: ClassVar[bool] = True
    gpu_batch: ClassVar[int] = 1

    @property
    def seed(self) -> int | None:
        """The run's seed; None for a tool that draws nothing at random."""
        return None

    @property
    def waits(self) -> bool:
        """It waits for others more than it computes: threads run it, more of them than there are cores."""
        return False

    @property
    def alone(self) -> bool:
        """Samples go one by one, and are not tried again for the sake of others: a service has answered for them."""
        return self.waits

    @property
    def trace(self) -> Path | None:
        """The file for what records hold under :data:`dptools.pipe.trace.TRACE`; None for a tool that traces
        nothing."""
        return None

    @property
    def text(self) -> Callable[[Record], str] | None:
        """What standard output gets of a finished record, lines, in the record's place; None for the record itself.
        With it, images need not be kept."""
        return None

    @property
    def directories(self) -> tuple[Path, ...]:
        """Those that it writes images into besides that of the output."""
        return ()

    @property
    def for_one(self) -> str | None:
        """The option, as it was given, that is for one image only; None if there is none."""
        return None

    @property
    def variants(self) -> tuple[str, ...]:
        """What the ids of the images that each one becomes have behind its own."""
        return ("",)

    def load(self) -> Processor:
        """The tool with all that it needs.

        Raises:
            DptoolsError: what it needs cannot be had, or the options name nothing that there is.
        """
