"""Images to try things on: the 20 ImageNet images that Foolbox ships, some of your own in labelled folders, or a map.

python -m dptools.samples DIR
python -m dptools.samples DIR --of IMAGENET --classes 25 --per-class 4 --seed 0
python -m dptools.samples DIR --map
"""

import argparse
import random
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from dptools.classifiers.classes import imagenet

_NAME = re.compile(r"imagenet_\d+_(\d+)\.jpg")

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


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


def draw(images: Path, directory: Path, *, classes: int, per_class: int, seed: int) -> list[Path]:
    """Copy so many images of so many classes, as ``class/name`` below the directory; returns their paths in order.

    The Deep Protection paper draws 100 of 25 classes, section 3.3.

    Args:
        images: a folder with a directory of images for each class.
        seed: the same draws the same of the same folder.

    Raises:
        ValueError: the folder has not so many classes with so many images.
    """
    found = {folder.name: _images(folder) for folder in sorted(images.iterdir()) if folder.is_dir()}
    rich = [name for name, files in found.items() if len(files) >= per_class]
    if len(rich) < classes:
        raise ValueError(f"{images}: {len(rich)} directories with {per_class} images or more, of {classes} wanted")
    generator = random.Random(seed)
    written = []
    for name in sorted(generator.sample(rich, classes)):
        (directory / name).mkdir(parents=True, exist_ok=True)
        for file in sorted(generator.sample(found[name], per_class)):
            written.append(Path(shutil.copy(file, directory / name)))
    return written


def write_map(directory: Path) -> list[Path]:
    """Draw a map of a country that there is not, ``map.png``, and write its words, ``map.geojson``."""
    from PIL import Image

    from dptools.maps.drawing import draw_map
    from dptools.maps.formats import as_record, geojson

    directory.mkdir(parents=True, exist_ok=True)
    pixels, words = draw_map()
    written = [directory / "map.png", directory / "map.geojson"]
    Image.fromarray(pixels).save(written[0])
    written[1].write_text(geojson(map(as_record, words)) + "\n")
    return written


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGES)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dptools.samples", description="Write a labelled folder of images.")
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--of", type=Path, metavar="IMAGENET", help="a folder with a directory for each class")
    parser.add_argument("--map", action="store_true", help="a drawn map and its words, in place of images")
    parser.add_argument("--classes", type=int, default=25, metavar="N")
    parser.add_argument("--per-class", type=int, default=4, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    try:
        if given.map:
            paths = write_map(given.directory)
        elif given.of:
            drawn = {"classes": given.classes, "per_class": given.per_class, "seed": given.seed}
            paths = draw(given.of, given.directory, **drawn)
        else:
            paths = write_samples(given.directory)
    except (OSError, ValueError) as error:
        sys.exit(f"dptools.samples: {error}")
    print("\n".join(map(str, paths)))


if __name__ == "__main__":
    _main()
