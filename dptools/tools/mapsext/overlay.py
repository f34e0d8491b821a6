"""Overlays: images of maps with their words drawn on them."""

import io
import os
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target, write

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
        SampleError: The file is the map itself.
    """
    if is_file(overlay):
        path, directory = overlay, overlay.parent
    else:
        path, directory = target(overlay, f"{sample.id}@words"), overlay
    for image in (str(sample.record.get(key, "")) for key in ("path", "source")):
        if path.exists() and os.path.exists(image) and path.samefile(image):
            raise SampleError("WriteError", f"the overlay {path} would overwrite the map")
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
