"""The sample: the one data type that flows through every tool."""

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dptools.pipe.record import Record, reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from dptools.pipe.file_formats import FileInfo

    Pixels = NDArray[np.uint8]
    """An image: H x W x 3, sRGB, 8 bits."""


@dataclass(frozen=True)
class ExistingOutput:
    """An image file that exists at the path of an output.

    Attributes:
        record: The record inside it; None if dptools did not write it.
        sha256: The hash of the file.
        trace: The lines of its sidecar; None if it has none, or if no trace was requested.
        unfinished: Whether a killed run left it, so that nobody has seen it and it may be replaced.
    """

    record: Record | None
    sha256: str
    trace: tuple[Record, ...] | None = None
    unfinished: bool = False


@dataclass(frozen=True)
class Extent:
    """The bytes of an image inside of a larger file, such as a shard.

    Attributes:
        path: The path of the file.
        offset: The position of the first byte.
        size: The number of bytes.
        modified: The time of the last change of the file, in nanoseconds. If it is another one, the bytes are others.
    """

    path: str
    offset: int
    size: int
    modified: int


@dataclass(frozen=True)
class Sample:
    """A record and, while a tool works on it, its image.

    Attributes:
        record: The record of the sample; see :mod:`dptools.pipe.record`.
        pixels: The decoded image, H x W x 3 uint8 sRGB. None before decoding and after writing.
        encoded: The bytes of the image file. Set if there is no file (standard input or output), or if workers do not
            share files with this process. None otherwise.
        extent: Where the bytes of the image file are. None if ``encoded`` is set, or if ``path`` is an image file.
        entry: The entry that is appended to ``stages`` when the current tool has finished. None if no tool is running.
        existing: The existing output files, by path, for a worker that cannot read them itself. None if the worker
            looks for them itself.
        info: What the file of the image holds besides its pixels. None before decoding and after writing.
        origin: The path of the input file, relative to the directory of the output; see :mod:`dptools.pipe.reuse`.
            None without an input file or an output directory.
        input: The record before the current tool. It becomes the error record if a worker sends an output that cannot
            be written. None otherwise.
        reported: Whether its error was already shown to the user, by this tool or by an earlier one.
        trace: The trace lines of the current tool for this sample. None if no trace was requested.
    """

    record: Record
    pixels: "Pixels | None" = None
    encoded: bytes | None = None
    extent: Extent | None = None
    entry: Record | None = None
    existing: "Mapping[str, ExistingOutput] | None" = None
    info: "FileInfo | None" = None
    origin: str | None = None
    input: Record | None = None
    reported: bool = False
    trace: tuple[Record, ...] | None = None

    @property
    def id(self) -> str:
        """The id in the record."""
        return str(self.record["id"])

    @property
    def path(self) -> str:
        """The path of the image, ``-`` for standard input."""
        return str(self.record["path"])

    @property
    def failed(self) -> bool:
        """Whether the record holds an error."""
        return "error" in self.record

    @property
    def finished(self) -> bool:
        """Whether the sample failed or was skipped. Further tools then pass it on unchanged."""
        return self.failed or "skipped" in self.record

    def update(self, **changes: Any) -> "Sample":
        """Return the sample with these keys of its record set."""
        return replace(self, record={**self.record, **changes})

    def without(self, *names: str) -> "Sample":
        """Return the sample without these keys of its record."""
        return replace(self, record={name: value for name, value in self.record.items() if name not in names})

    def fail(self, stage: str, kind: str, message: str) -> "Sample":
        """Return the sample as an error record, without its image.

        Args:
            stage: The tool that failed.
            kind: A stable name for programs, such as ``"NotAnImage"``.
            message: The reason, for people.
        """
        record = {**self.record, "error": reason(stage, kind, message)}
        return Sample(record)

    def seed(self, seed: int, purpose: str = "") -> int:
        """Return the sample's own seed, 0 <= s < 2**63.

        It is a hash of the run's seed and the id, so it does not depend on batch size, order or engine.

        Args:
            seed: The seed of the run.
            purpose: Distinguishes independent uses of randomness for one sample.
        """
        digest = hashlib.sha256(f"{purpose}{seed}:{self.id}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") >> 1
