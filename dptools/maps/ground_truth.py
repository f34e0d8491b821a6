"""Ground truth of a map: the words on it, read from GeoJSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.errors import UsageError
from dptools.maps.merging import iou

if TYPE_CHECKING:
    from shapely import Polygon

TEXT_PROPERTIES = ("text", "label", "name")
"""Properties that hold the text of a word, in order of preference. Case is ignored."""

IGNORE_PROPERTIES = ("illegible", "truncated")
"""Properties that mark a word as ignored if they are true."""

MAX_COORDINATE = 1e9
"""Largest distance of a point from the map's corner, in pixels. Areas of larger outlines would overflow."""


@dataclass(frozen=True)
class TrueWord:
    """A word on a map.

    Attributes:
        text: The word; empty if it is unknown.
        outline: Outline in pixels: columns and rows.
        ignored: Whether the MapText measures leave the word out, because it is illegible or truncated.
    """

    text: str
    outline: "Polygon"
    ignored: bool = False

    def iou(self, outline: "Polygon") -> float:
        """Return the intersection over union with the outline of a detected word.

        An upright box is compared with the bounding box of the outline, because many ground truths have only upright
        boxes, even for slanted words.
        """
        upright = self.outline.equals(self.outline.envelope)
        return iou(self.outline, outline.envelope if upright else outline)


def read_ground_truth(text: str, name: str) -> list[TrueWord]:
    """Return the words of a GeoJSON file in which x is the column and y is the row times -1.

    Geometries without an area are left out.

    Args:
        text: The contents of the file.
        name: The name of the file, for messages.

    Raises:
        UsageError: The file is not GeoJSON with polygons, or a point is out of bounds.
    """
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        features = [feature for feature in json.loads(text)["features"] if feature["geometry"]]
        shapes = [shape(feature["geometry"]) for feature in features]
        if not all(map(_in_bounds, shapes)):
            raise UsageError(f"{name}: a point is more than {MAX_COORDINATE:,.0f} pixels away from the map's corner")
        properties = [feature["properties"] or {} for feature in features]
        words = [
            TrueWord(_text(values), _to_pixels(outline), any(values.get(name) is True for name in IGNORE_PROPERTIES))
            for values, outline in zip(properties, shapes, strict=True)
        ]
        return [word for word in words if word.outline.area]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, ShapelyError):
        raise UsageError(f"{name}: not GeoJSON with polygons as features") from None


def _text(properties: Mapping[str, Any]) -> str:
    lower = {name.casefold(): value for name, value in properties.items()}
    return next((str(lower[name] or "") for name in TEXT_PROPERTIES if name in lower), "")


def _in_bounds(geometry: Any) -> bool:
    from shapely import get_coordinates

    return bool((np.abs(get_coordinates(geometry)) <= MAX_COORDINATE).all())


def _to_pixels(geometry: Any) -> "Polygon":
    """Return the largest polygon of a geometry, repaired, with rows instead of y."""
    from shapely import transform

    valid = geometry.buffer(0)
    largest = max(valid.geoms, key=lambda part: part.area) if valid.geom_type == "MultiPolygon" else valid
    polygon: Polygon = transform(largest, lambda points: points * (1, -1))
    return polygon
