"""The one thing that flows through everything."""

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dptools.pipe.record import Record, reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from dptools.pipe.reuse import Found

    Pixels = NDArray[np.uint8]
    """An image as every tool sees it: H x W x 3, sRGB, 8 bits."""


@dataclass(frozen=True)
class Sample:
    """A record and, where a tool has it at hand, its image.

    Attributes:
        record: what is known of the sample; see :mod:`dptools.pipe.record`.
        pixels: H x W x 3 uint8 sRGB, once it is decoded.
        encoded: the image file's bytes, where the sample has no file (standard input and output), or none that a worker
            can see.
        entry: what ``stages`` gets when the tool at work on it is done; None when none is at work.
        there: what lies at the places of its outputs, by path, for a worker that cannot see it; None for one that can.
        reported: its error was already shown to the user, by this tool or one before it.
    """

    record: Record
    pixels: "Pixels | None" = None
    encoded: bytes | None = None
    entry: Record | None = None
    there: "Mapping[str, Found] | None" = None
    reported: bool = False

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def path(self) -> str:
        return str(self.record["path"])

    @property
    def failed(self) -> bool:
        return "error" in self.record

    @property
    def finished(self) -> bool:
        """Nothing is left to do for it; it goes down the pipe untouched."""
        return self.failed or "skipped" in self.record

    def update(self, **changes: Any) -> "Sample":
        """The same sample with these keys of its record set."""
        return replace(self, record={**self.record, **changes})

    def without(self, *names: str) -> "Sample":
        """The same sample without these keys of its record: what was said of an image that it shows no more."""
        return replace(self, record={name: value for name, value in self.record.items() if name not in names})

    def fail(self, stage: str, kind: str, message: str) -> "Sample":
        """The same sample as an error record, without its image."""
        record = {**self.record, "error": reason(stage, kind, message)}
        return Sample(record)

    def seed(self, seed: int, purpose: str = "") -> int:
        """The sample's own seed, 0 <= s < 2**63: a hash of the run's seed and the id, so it depends on nothing else.

        Args:
            purpose: tells seeds apart that two uses of one sample must not share.
        """
        digest = hashlib.sha256(f"{purpose}{seed}:{self.id}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") >> 1
