"""Write example images: 20 ImageNet images from Foolbox, a sample of a labelled folder, or a drawn map.

Usage:
    python -m dptools.samples DIR
    python -m dptools.samples DIR --of IMAGENET --classes 25 --per-class 4 --seed 0
    python -m dptools.samples DIR --map
"""

import argparse
import os
import random
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from dptools.classifiers.classes import imagenet

_NAME = re.compile(r"imagenet_\d+_(\d+)\.jpg")

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def write_samples(directory: Path) -> list[Path]:
    """Write the ImageNet images that Foolbox contains, as ``wnid/name.jpg``, and return their paths in order.

    Args:
        directory: The directory to write to.

    Raises:
        ValueError: Foolbox is not installed.
    """
    spec = find_spec("foolbox")  # This does not import Foolbox, which would take seconds.
    if spec is None or spec.origin is None:
        raise ValueError(f"Foolbox is not installed for {sys.executable}: use the python of the environment of dptools")
    written = []
    for image in sorted(Path(spec.origin).parent.glob("data/imagenet_*.jpg")):
        match = _NAME.fullmatch(image.name)
        assert match
        path = directory / imagenet().wnids[int(match[1])] / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.read_bytes())
        written.append(path)
    return written


def copy_sample(images: Path, directory: Path, *, classes: int, per_class: int, seed: int) -> list[Path]:
    """Copy randomly chosen images of randomly chosen classes, as ``class/name``, and return their paths in order.

    The Deep Protection paper samples 4 images of each of 25 classes (section 3.3).

    Args:
        images: A directory with a subdirectory of images for each class.
        directory: The directory to write to.
        classes: Number of classes.
        per_class: Number of images of each class.
        seed: Seed of the random choice.

    Raises:
        ValueError: Too few classes have enough images.
    """
    files_of = {folder.name: _images(folder) for folder in sorted(images.glob("[!.]*")) if folder.is_dir()}
    eligible = [name for name, files in files_of.items() if len(files) >= per_class]
    if len(eligible) < classes:
        raise ValueError(
            f"{images}: {classes} directories with {per_class} images or more needed, {len(eligible)} found"
        )
    generator = random.Random(seed)
    written = []
    for name in sorted(generator.sample(eligible, classes)):
        (directory / name).mkdir(parents=True, exist_ok=True)
        for file in sorted(generator.sample(files_of[name], per_class)):
            written.append(Path(shutil.copy(file, directory / name)))
    return written


def write_map(directory: Path) -> list[Path]:
    """Write a drawn map, ``map.png``, and its words, ``map.geojson``, and return the two paths.

    Args:
        directory: The directory to write to.
    """
    from PIL import Image

    from dptools.maps.drawing import draw_map
    from dptools.maps.formats import as_record, geojson

    directory.mkdir(parents=True, exist_ok=True)
    pixels, words = draw_map()
    image_path, words_path = directory / "map.png", directory / "map.geojson"
    Image.fromarray(pixels).save(image_path)
    words_path.write_text(geojson(map(as_record, words)) + "\n")
    return [image_path, words_path]


def _images(folder: Path) -> list[Path]:
    """Return the image files in a folder, sorted by name, without hidden ones."""
    return sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() in _SUFFIXES and path.is_file())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dptools.samples", description="Write example images.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory to write to")
    parser.add_argument(
        "--of",
        type=Path,
        metavar="IMAGENET",
        help="copy images from this directory, which has a subdirectory for each class",
    )
    parser.add_argument("--map", action="store_true", help="write a drawn map and its words instead")
    parser.add_argument("--classes", type=int, default=25, metavar="N", help="number of classes (default: 25)")
    parser.add_argument("--per-class", type=int, default=4, metavar="N", help="images of each class (default: 4)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random choice (default: 0)")
    return parser


def _main() -> None:
    args = _parser().parse_args()
    try:
        if args.map:
            paths = write_map(args.directory)
        elif args.of:
            sizes = {"classes": args.classes, "per_class": args.per_class}
            paths = copy_sample(args.of, args.directory, **sizes, seed=args.seed)
        else:
            paths = write_samples(args.directory)
    except (OSError, ValueError) as error:
        sys.exit(f"dptools.samples: {error}")
    _show(paths)


def _show(paths: list[Path]) -> None:
    """Print the paths, one per line."""
    try:
        sys.stdout.buffer.write(b"".join(os.fsencode(path) + b"\n" for path in paths))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # otherwise, the interpreter would try again at its end
        sys.exit(1 if isinstance(error, BrokenPipeError) else f"dptools.samples: write error: {error.strerror}")


if __name__ == "__main__":
    _main()
