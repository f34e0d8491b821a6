"""What is known to stand on a map: GeoJSON with the words' outlines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.errors import UsageError
from dptools.maps.merging import iou

if TYPE_CHECKING:
    from shapely import Polygon

TEXTS = ("text", "label", "name")
"""Properties that hold a word's text, whatever their case."""

FARTHEST = 1e9
"""Pixels from a map's corner: no map is larger, and areas of larger numbers would overflow."""


@dataclass(frozen=True)
class Truth:
    """A word that stands on a map: its text, and its outline in pixels, columns and rows."""

    text: str
    outline: "Polygon"

    def agrees(self, other: "Polygon") -> float:
        """Intersection over union with a word that was found; boxes are compared with boxes, since many ground truths
        have nothing else for words at an angle."""
        upright = self.outline.equals(self.outline.envelope)
        return iou(self.outline, other.envelope if upright else other)


def read_truth(text: str, name: str) -> list[Truth]:
    """The words of a GeoJSON file: polygons whose y is the row times -1, with a text in their properties.

    What has no area is left out.

    Raises:
        UsageError: it is no such file, or a point of it lies on no map.
    """
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        features = [feature for feature in json.loads(text)["features"] if feature["geometry"]]
        shapes = [shape(feature["geometry"]) for feature in features]
        if not all(map(_on_a_map, shapes)):
            raise UsageError(f"{name}: a point of it lies more than {FARTHEST:,.0f} pixels away")
        texts = [_text(feature["properties"] or {}) for feature in features]
        found = zip(texts, map(_flipped, shapes), strict=True)
        return [Truth(word, outline) for word, outline in found if outline.area]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, ShapelyError):
        raise UsageError(f"{name}: not GeoJSON with polygons as features") from None


def _text(properties: Mapping[str, Any]) -> str:
    lower = {name.casefold(): value for name, value in properties.items()}
    return next((str(lower[name] or "") for name in TEXTS if name in lower), "")


def _on_a_map(outline: Any) -> bool:
    from shapely import get_coordinates

    return bool((np.abs(get_coordinates(outline)) <= FARTHEST).all())


def _flipped(outline: Any) -> "Polygon":
    """A polygon with rows in place of y; of several, the largest."""
    from shapely import transform

    mended = outline.buffer(0)
    largest = max(mended.geoms, key=lambda part: part.area) if mended.geom_type == "MultiPolygon" else mended
    polygon: Polygon = transform(largest, lambda points: points * (1, -1))
    return polygon
