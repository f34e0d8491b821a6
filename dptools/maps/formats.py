"""The words of a map for other programs, and drawn for the eye."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.maps.words import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Found = Mapping[str, Any]
"""A word as records hold it: ``text``, ``confidence``, ``polygon`` and ``angle``."""

INK, PAPER = (176, 0, 64), (255, 255, 255)


def as_record(word: Word) -> dict[str, Any]:
    """A word as records hold it: the polygon in pixels, columns and rows; the angle in degrees, anticlockwise."""
    polygon = [[round(x, 1), round(y, 1)] for x, y in word.polygon]
    return {
        "text": word.text,
        "confidence": round(word.confidence, 3),
        "polygon": polygon,
        "angle": round(word.angle, 1) + 0.0,
    }


def geojson(found: Iterable[Found], **about: Any) -> str:
    """A FeatureCollection (RFC 7946) on one line.

    As is usual for images that are not georeferenced, x is the column and y the row times -1, so that a viewer of
    geodata shows the words where the map has them.

    Args:
        about: goes into the properties of each.
    """
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_ring(word["polygon"])]},
            "properties": {**{name: word[name] for name in ("text", "confidence", "angle")}, **about},
        }
        for word in found
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


COLUMNS = ("map", "text", "confidence", "angle", "left", "top", "right", "bottom")
"""Of :func:`rows`."""


def rows(found: Iterable[Found], name: str) -> str:
    """Lines of comma-separated values (RFC 4180, with newlines alone) under COLUMNS, a word a line; the box is the
    outline's, in pixels.

    Args:
        name: the map's.
    """
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for word in found:
        across, down = zip(*word["polygon"], strict=True)
        box = (min(across), min(down), max(across), max(down))
        writer.writerow([name, *(word[key] for key in ("text", "confidence", "angle")), *box])
    return lines.getvalue()


def overlay(pixels: "Pixels", found: Sequence[Found]) -> "Pixels":
    """A map with the outlines and the texts of its words.

    Args:
        pixels: H x W x 3.
    """
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels // 2 + 127)  # faded, so that what is drawn stands out
    draw = ImageDraw.Draw(image)
    width = max(1, max(image.size) // 1000)
    font = ImageFont.load_default(max(10, max(image.size) // 110))
    for word in found:
        outline = [tuple(point) for point in word["polygon"]]
        draw.line([*outline, outline[0]], fill=INK, width=width)
        left, top = min(x for x, _ in outline), min(y for _, y in outline)
        draw.text((left, top), word["text"], fill=INK, font=font, anchor="lb", stroke_width=2, stroke_fill=PAPER)
    return np.asarray(image)


def _ring(polygon: Iterable[Sequence[float]]) -> list[list[float]]:
    """Closed, and anticlockwise as the standard wants outer rings."""
    points = [[x, -y] for x, y in polygon][::-1]
    return [*points, points[0]]
