"""How well words and masks agree with what is known to stand on a map.

The measures follow the ICDAR 2024 competition on historical map text: words match one to one from an intersection over
union of 0.5. Words without a legible text are not told apart, and count.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dptools.errors import UsageError
from dptools.maps.merging import SAME, iou, key

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely import Polygon

    Mask = NDArray[np.bool_]
    Grey = NDArray[np.uint8]

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


@dataclass
class Score:
    """Counts of what there is, what was given, and what of it is right.

    Attributes:
        expected, given: on the map, and by the record.
        found: both.
    """

    expected: int = 0
    given: int = 0
    found: int = 0

    @property
    def precision(self) -> float | None:
        return self.found / self.given if self.given else None

    @property
    def recall(self) -> float | None:
        return self.found / self.expected if self.expected else None

    @property
    def f(self) -> float | None:
        """The harmonic mean of precision and recall."""
        return 2 * self.found / (self.given + self.expected) if self.given + self.expected else None

    def add(self, other: Self) -> None:
        """Take another map's counts in."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class InkScore(Score):
    """Of pixels: those of ink inside the words' outlines, those of the mask, and those of both."""


@dataclass
class WordScore(Score):
    """Of words.

    Attributes:
        read: pairs with the same text, but for case and for punctuation at the ends.
        likeness: of the pairs, the sum of 1 - edit distance / length of the longer text.
    """

    read: int = 0
    likeness: float = 0.0

    @property
    def characters(self) -> float | None:
        """1 - mean normalised edit distance of the pairs."""
        return self.likeness / self.found if self.found else None


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


def score_words(truth: Sequence[Truth], words: Iterable[Mapping[str, Any]]) -> WordScore:
    """Match words with the truth, best pairs first."""
    from shapely import STRtree

    found = [(str(word["text"]), _outline(word["polygon"])) for word in words]
    tree = STRtree([shape.envelope for _, shape in found])
    near = [(i, int(j)) for i, each in enumerate(truth) for j in tree.query(each.outline.envelope)]
    pairs = [(share, i, j) for i, j in near if (share := truth[i].agrees(found[j][1])) >= SAME]
    score, known, given = WordScore(len(truth), len(found)), set[int](), set[int]()
    for _, i, j in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if i in known or j in given:
            continue
        known.add(i)
        given.add(j)
        one, other = (key(text) or text for text in (truth[i].text, found[j][0]))
        score.found += 1
        score.read += one == other
        score.likeness += 1 - edit_distance(one, other) / max(len(one), len(other), 1)
    return score


def score_ink(truth: Iterable[Truth], grey: "Grey", mask: "Mask") -> InkScore:
    """Compare a mask with the ink in the words' outlines: what is dark there by each one's Otsu threshold."""
    from PIL import Image, ImageDraw
    from skimage.filters import threshold_otsu

    ink = np.zeros(grey.shape, bool)
    for word in truth:
        inside = Image.new("1", (grey.shape[1], grey.shape[0]))
        ImageDraw.Draw(inside).polygon(list(word.outline.exterior.coords), fill=1)
        here = np.asarray(inside)
        shades = grey[here]
        if shades.size and np.ptp(shades):
            ink |= here & (grey <= threshold_otsu(shades))
    return InkScore(int(ink.sum()), int(mask.sum()), int((ink & mask).sum()))


def edit_distance(one: str, other: str) -> int:
    """The fewest insertions, deletions and replacements of characters (Levenshtein 1965)."""
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (char != against))
    return row[-1]


def _text(properties: Mapping[str, Any]) -> str:
    lower = {name.casefold(): value for name, value in properties.items()}
    return next((str(lower[name] or "") for name in TEXTS if name in lower), "")


def _on_a_map(outline: Any) -> bool:
    from shapely import get_coordinates

    return bool((np.abs(get_coordinates(outline)) <= FARTHEST).all())


def _outline(points: Sequence[Sequence[float]]) -> "Polygon":
    """A polygon without crossings; of what lies on no map, as much as could."""
    from shapely import Polygon

    return Polygon(np.clip(np.array(points, float), -FARTHEST, FARTHEST)).buffer(0)


def _flipped(outline: Any) -> "Polygon":
    """A polygon with rows in place of y; of several, the largest."""
    from shapely import transform

    mended = outline.buffer(0)
    largest = max(mended.geoms, key=lambda part: part.area) if mended.geom_type == "MultiPolygon" else mended
    polygon: Polygon = transform(largest, lambda points: points * (1, -1))
    return polygon
