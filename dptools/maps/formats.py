"""Words of a map in other formats: records, GeoJSON, CSV, and drawn on the map."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.maps.georeference import Georeference, ground_points
from dptools.maps.images import Pixels
from dptools.maps.outlines import bounding_box
from dptools.maps.words import Word

if TYPE_CHECKING:
    from PIL.Image import Image

WordRecord = Mapping[str, Any]
"""A word in a record: ``text``, ``confidence``, ``polygon`` and ``angle``."""

OUTLINE_COLOUR, TEXT_COLOUR, HALO_COLOUR = (230, 150, 170), (176, 0, 64), (255, 255, 255)

MIN_FONT = 8
"""Smallest size of the texts on an overlay, in pixels."""

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
        box = bounding_box(word["polygon"])
        writer.writerow([map_id, *(word[key] for key in ("text", "confidence", "angle")), *box])
    return rows.getvalue()


def overlay(pixels: Pixels, words: Sequence[WordRecord]) -> Pixels:
    """Return a faded map with the outlines and texts of its words, H x W x 3.

    A text is written along its word, in about the size of the word, so that the texts of neighbours do not overlap.

    Args:
        pixels: The map, H x W x 3.
        words: The words.
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels // 4 + 191)
    draw = ImageDraw.Draw(image)
    width = max(1, max(image.size) // 1500)
    for word in words:
        outline = [tuple(point) for point in word["polygon"]]
        draw.line([*outline, outline[0]], fill=OUTLINE_COLOUR, width=width)
    for word in words:
        _draw_text(image, word)
    return np.asarray(image)


def _draw_text(image: "Image", word: WordRecord) -> None:
    """Write a text over its word, at the word's angle. Upside-down texts are turned."""
    from PIL import Image, ImageDraw, ImageFont

    points = np.array(word["polygon"], float)
    upper, lower = points[: len(points) // 2], points[len(points) // 2 :]
    length = float(np.hypot(*np.diff(upper, axis=0).T).sum())
    height = float(np.hypot(*(upper.mean(0) - lower.mean(0))))
    font = ImageFont.load_default(max(MIN_FONT, round(0.75 * height)))
    box = font.getbbox(word["text"], anchor="mm", stroke_width=1)
    if box[2] - box[0] > length > 0:
        font = ImageFont.load_default(max(MIN_FONT, round(0.75 * height * length / (box[2] - box[0]))))
        box = font.getbbox(word["text"], anchor="mm", stroke_width=1)
    side = 2 * math.ceil(max(map(abs, box))) + 4
    stamp = Image.new("RGBA", (side, side))
    ImageDraw.Draw(stamp).text(
        (side / 2, side / 2),
        word["text"],
        fill=TEXT_COLOUR,
        font=font,
        anchor="mm",
        stroke_width=1,
        stroke_fill=HALO_COLOUR,
    )
    turned = stamp.rotate(float(word["angle"]), Image.Resampling.BICUBIC, expand=True)
    centre = points.mean(0)
    image.paste(turned, (round(centre[0] - turned.width / 2), round(centre[1] - turned.height / 2)), turned)


def _ring(polygon: Iterable[Sequence[float]], georeference: Georeference | None) -> list[list[float]]:
    """Return a closed, anticlockwise ring, as RFC 7946 requires of outer rings."""
    pairs = [(x, y) for x, y in polygon]
    points = ground_points(pairs, georeference) if georeference else [[x, -y] for x, y in pairs]
    following = points[1:] + points[:1]
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))
    points = points if area > 0 else points[::-1]
    return [*points, points[0]]
