"""Real images to try things on: the 20 ImageNet images that Foolbox ships, as a labelled folder.

python -m dptools.samples DIR
"""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from dptools.classifiers.classes import imagenet

_NAME = re.compile(r"imagenet_\d+_(\d+)\.jpg")


def write_samples(directory: Path) -> list[Path]:
    """Write the images as ``wnid/name.jpg`` below the directory; returns their paths in order."""
    spec = find_spec("foolbox")  # found, not imported: that would take seconds
    assert spec is not None
    assert spec.origin is not None
    written = []
    for image in sorted(Path(spec.origin).parent.glob("data/imagenet_*.jpg")):
        match = _NAME.fullmatch(image.name)
        assert match
        path = directory / imagenet().wnids[int(match[1])] / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.read_bytes())
        written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m dptools.samples DIR")
    for path in write_samples(Path(sys.argv[1])):
        print(path)
