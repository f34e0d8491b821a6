"""Make tar files for tests."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

Member = tuple[str, bytes]


def jpeg(seed: int = 0, size: int = 16) -> bytes:
    """Return a small JPEG file of random pixels."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def tar(members: Iterable[Member | tarfile.TarInfo], **options: object) -> bytes:
    """Return a tar file of regular members, given by name and content, and of headers without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return the header of a link, a device or a pipe."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def labelled(keys: Iterable[str]) -> list[Member]:
    """Return an image and a label for each key."""
    return [
        member
        for number, key in enumerate(keys)
        for member in ((f"{key}.jpg", jpeg(number)), (f"{key}.cls", str(number).encode()))
    ]


def names(path: Path) -> list[str]:
    """Return the names of the members of a tar file."""
    with tarfile.open(path) as archive:
        return archive.getnames()
