"""Write samples to a shard: the members ``key.png``, ``key.json`` and, if the label is an index, ``key.cls``."""

import io
import tarfile
from dataclasses import dataclass
from typing import BinaryIO, cast

from dptools.pipe.embedded import for_shard
from dptools.pipe.record import Record, dump


class ShardWriter:
    """Writes samples to a tar file. Equal samples give equal bytes."""

    def __init__(self, file: BinaryIO) -> None:
        """Start a tar file at the beginning of a file, which may be a pipe."""
        file = cast(BinaryIO, _Unseekable(file))
        self._tar = tarfile.TarFile(fileobj=file, mode="w", encoding="utf-8", errors="surrogateescape")
        self.count = 0

    def add(self, key: str, image: bytes | None, record: Record) -> None:
        """Append a sample.

        Args:
            key: The common part of the names of its members.
            image: The PNG file; None for a sample that has none, such as a failed one.
            record: Its record.
        """
        if image is not None:
            self._append(f"{key}.png", image)
        self._append(f"{key}.json", dump(for_shard(record)).encode("ascii"))
        label = record.get("label")
        if image is not None and isinstance(label, int | float) and label == int(label):
            self._append(f"{key}.cls", b"%d" % label)
        self.count += 1

    def end(self) -> None:
        """Write the end mark. Without it, the file counts as cut off."""
        self._tar.close()

    def _append(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self._tar.addfile(info, io.BytesIO(data))
        self._tar.members = []  # type: ignore[attr-defined]  # otherwise it keeps every header


@dataclass(frozen=True)
class _Unseekable:
    """A file for :class:`tarfile.TarFile`, which asks for the position even if the file is a pipe."""

    file: BinaryIO

    def tell(self) -> int:
        return 0

    def write(self, data: bytes) -> int:
        return self.file.write(data)
