"""Overlays: images of maps with their words drawn on them."""

import io
from pathlib import Path

from dptools.pipe.sample import Sample
from dptools.pipe.sink import check_not_input, target, write

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
"""An overlay with one of these suffixes is a file; any other is a directory."""


def is_file(overlay: Path) -> bool:
    """Return whether an overlay is a file, by its suffix."""
    return overlay.suffix.lower() in SUFFIXES


def overlay_path(sample: Sample, overlay: Path) -> tuple[Path, Path]:
    """Return the file for the overlay of a map, and the directory that it must stay in.

    Args:
        sample: The map.
        overlay: The file, or a directory of overlays.

    Raises:
        SampleError: The file is the map itself, or no file name can be made from the id.
    """
    if is_file(overlay):
        path, directory = overlay, overlay.parent
    else:
        path, directory = target(overlay, f"{sample.id}@words"), overlay
    check_not_input(path, sample)
    return path, directory


def write_overlay(sample: Sample, overlay: Path) -> None:
    """Draw the words in a map's record on its pixels, and write the image.

    Args:
        sample: The map, with the words in its record.
        overlay: The file, or a directory of overlays.

    Raises:
        SampleError: The file is the map itself, or cannot be written.
    """
    from PIL import Image

    from dptools.maps.formats import overlay as draw

    assert sample.pixels is not None
    path, directory = overlay_path(sample, overlay)
    image = Image.fromarray(draw(sample.pixels, sample.record["mapsext"]["words"]))
    data = io.BytesIO()
    image.save(data, Image.registered_extensions()[path.suffix.lower()])
    write(path, data.getvalue(), directory)
