"""Words of a map in other formats: records, GeoJSON, CSV, and drawn on the map."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dptools.maps.georeference import Georeference, ground_points
from dptools.maps.images import Pixels
from dptools.maps.words import Word

WordRecord = Mapping[str, Any]
"""A word in a record: ``text``, ``confidence``, ``polygon`` and ``angle``."""

OUTLINE_COLOUR, HALO_COLOUR = (176, 0, 64), (255, 255, 255)

PROPERTIES = ("text", "corrected_from", "confidence", "angle")
"""Properties of a word in GeoJSON."""

CSV_COLUMNS = ("map", "text", "confidence", "angle", "left", "top", "right", "bottom")
"""Names of the columns of :func:`csv_rows`."""


def as_record(word: Word) -> dict[str, Any]:
    """Return a word as it is stored in records. Coordinates are in pixels, the angle is in degrees."""
    polygon = [[round(x, 1), round(y, 1)] for x, y in word.polygon]
    return {
        "text": word.text,
        "confidence": round(word.confidence, 3),
        "polygon": polygon,
        "angle": round(word.angle, 1) + 0.0,
    }


def geojson(words: Iterable[WordRecord], georeference: Georeference | None = None, **properties: Any) -> str:
    """Return words as a FeatureCollection (RFC 7946) on one line.

    As usual for images without georeference, x is the column and y is the row times -1. A GIS viewer then shows the
    words at their places on the map.

    Args:
        words: The words.
        georeference: If given, x and y are coordinates on the ground: longitude and latitude if its reference system
            is known.
        **properties: Additional properties of each feature.
    """
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_ring(word["polygon"], georeference)]},
            "properties": {**{name: word[name] for name in PROPERTIES if name in word}, **properties},
        }
        for word in words
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def csv_rows(words: Iterable[WordRecord], map_id: str) -> str:
    r"""Return words as CSV rows (RFC 4180, but with ``\n`` as line end), with the columns of CSV_COLUMNS, no header.

    Args:
        words: The words. The box is the bounding box of the polygon, in pixels.
        map_id: The value of the first column.
    """
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for word in words:
        across, down = zip(*word["polygon"], strict=True)
        box = (min(across), min(down), max(across), max(down))
        writer.writerow([map_id, *(word[key] for key in ("text", "confidence", "angle")), *box])
    return rows.getvalue()


def overlay(pixels: Pixels, words: Sequence[WordRecord]) -> Pixels:
    """Return a faded map with the outlines and texts of its words, H x W x 3.

    Args:
        pixels: The map, H x W x 3.
        words: The words.
    """
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels // 2 + 127)
    draw = ImageDraw.Draw(image)
    width = max(1, max(image.size) // 1000)
    font = ImageFont.load_default(max(10, max(image.size) // 110))
    for word in words:
        outline = [tuple(point) for point in word["polygon"]]
        draw.line([*outline, outline[0]], fill=OUTLINE_COLOUR, width=width)
        left, top = min(x for x, _ in outline), min(y for _, y in outline)
        draw.text(
            (left, top),
            word["text"],
            fill=OUTLINE_COLOUR,
            font=font,
            anchor="lb",
            stroke_width=2,
            stroke_fill=HALO_COLOUR,
        )
    return np.asarray(image)


def _ring(polygon: Iterable[Sequence[float]], georeference: Georeference | None) -> list[list[float]]:
    """Return a closed, anticlockwise ring, as RFC 7946 requires of outer rings."""
    pairs = [(x, y) for x, y in polygon]
    points = ground_points(pairs, georeference) if georeference else [[x, -y] for x, y in pairs]
    following = points[1:] + points[:1]
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))
    points = points if area > 0 else points[::-1]
    return [*points, points[0]]
