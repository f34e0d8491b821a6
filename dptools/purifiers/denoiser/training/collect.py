"""Collect training photographs from Debian packages: ``python -m dptools.purifiers.denoiser.training.collect DIR``.

The list ``photographs.tsv`` names each file, its package, version, path and licence. The packages are downloaded with
apt-get. A path may lead into an archive of the package: ``file.rcc:/path`` into a Qt resource file, ``file.pk3:path``
into a ZIP file.
"""

import argparse
import io
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

LONGEST_SHORTER_SIDE = 720
"""Pixels. Larger photographs are reduced to this shorter side."""

CROP = 256
"""Pixels a side of a validation image."""


def collect(folder: Path, downloads: Path) -> Iterator[tuple[Path, str | None]]:
    """Write the photographs to ``train`` and the crops to ``validation`` below a folder.

    Args:
        folder: where the photographs are written.
        downloads: where packages are downloaded and extracted; packages that exist there are not downloaded again.

    Yields:
        The path of each file, and an error message. The message is None if the file was written.
    """
    by_package: defaultdict[str, list[tuple[Path, str]]] = defaultdict(list)
    table = files("dptools.purifiers.denoiser.training").joinpath("photographs.tsv").read_text("utf-8")
    for line in table.splitlines()[1:]:
        name, package, _, path, _ = line.split("\t")
        by_package[package].append((folder / name, path))
    for package, wanted in by_package.items():
        root = _extracted(package, downloads)
        for target, path in wanted:
            try:
                image = _open(root, path)
            except (OSError, KeyError, ValueError) as error:
                yield target, f"{package}: {path}: {error or type(error).__name__}"
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.parent.name == "validation":
                _crop(image).save(target)
            else:
                image.thumbnail(_size(image), Image.Resampling.LANCZOS)
                image.save(target, quality=92)
            yield target, None


def _extracted(package: str, downloads: Path) -> Path:
    """Return the directory of an extracted package."""
    downloads.mkdir(parents=True, exist_ok=True)
    if not list(downloads.glob(f"{package}_*.deb")):
        subprocess.run(["apt-get", "download", package], cwd=downloads, check=True, stdout=subprocess.DEVNULL)
    (archive,) = downloads.glob(f"{package}_*.deb")
    root = downloads / package
    if not root.exists():
        part = downloads / f"{package}.part"
        subprocess.run(["dpkg-deb", "-x", archive, part], check=True)
        part.rename(root)
    return root


def _open(root: Path, path: str) -> Image.Image:
    """Return an image of a package, with transparent parts over white."""
    archive, colon, inner = path.partition(":")
    data = (root / archive).read_bytes()
    if colon and archive.endswith(".rcc"):
        data = dict(_qt_resources(data))[inner]
    elif colon:
        data = zipfile.ZipFile(io.BytesIO(data)).read(inner)
    with Image.open(io.BytesIO(data)) as image:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("RGB")


def _qt_resources(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield paths and contents of a Qt resource file of format 1 to 3, except contents compressed with zstd."""
    version, tree, contents, names = struct.unpack(">IIII", data[4:20])
    entry_size = 22 if version >= 2 else 14

    def walk(number: int, parent: str) -> Iterator[tuple[str, bytes]]:
        start = tree + number * entry_size
        name_offset, flags = struct.unpack(">IH", data[start : start + 6])
        length = struct.unpack(">H", data[names + name_offset : names + name_offset + 2])[0]
        name = (
            data[names + name_offset + 6 : names + name_offset + 6 + 2 * length].decode("utf-16-be") if number else ""
        )
        path = f"{parent}/{name}" if name else parent
        if flags & 2:  # a directory
            count, first = struct.unpack(">II", data[start + 6 : start + 14])
            for child in range(first, first + count):
                yield from walk(child, path)
        elif not flags & 4:
            (offset,) = struct.unpack(">I", data[start + 10 : start + 14])
            (size,) = struct.unpack(">I", data[contents + offset : contents + offset + 4])
            content = data[contents + offset + 4 : contents + offset + 4 + size]
            yield path, zlib.decompress(content[4:]) if flags & 1 else content

    yield from walk(0, "")


def _size(image: Image.Image) -> tuple[int, int]:
    factor = min(1.0, LONGEST_SHORTER_SIDE / min(image.size))
    return round(image.width * factor), round(image.height * factor)


def _crop(image: Image.Image) -> Image.Image:
    """Reduce an image, and return its square crop with the largest mean gradient."""
    factor = max(2.0, min(image.size) / 640)
    small = image.resize((round(image.width / factor), round(image.height / factor)), Image.Resampling.LANCZOS)
    grey = np.asarray(small.convert("L")).astype(float)
    gradient = np.zeros_like(grey)
    gradient[1:, 1:] = np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:, :]
    places = [
        (top, left) for top in range(0, small.height - CROP + 1, 32) for left in range(0, small.width - CROP + 1, 32)
    ]
    top, left = max(places, key=lambda place: gradient[place[0] : place[0] + CROP, place[1] : place[1] + CROP].mean())
    return small.crop((left, top, left + CROP, top + CROP))


def main() -> int:
    """Collect the photographs, and return the exit status: 1 if one is missing."""
    parser = argparse.ArgumentParser(prog="python -m dptools.purifiers.denoiser.training.collect", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="directory for the photographs")
    parser.add_argument("--downloads", type=Path, help="directory for packages (default: DIR/packages)")
    options = parser.parse_args()
    missing = 0
    for path, problem in collect(options.folder, options.downloads or options.folder / "packages"):
        if problem:
            missing += 1
            print(problem, file=sys.stderr)
        else:
            print(path)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
