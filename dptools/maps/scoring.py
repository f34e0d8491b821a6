"""How well words and masks agree with what is known to stand on a map.

The measures follow the ICDAR 2024 competition on historical map text: words match one to one from an intersection over
union of 0.5. Words without a legible text are not told apart, and count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dptools.maps.merging import SAME, key
from dptools.maps.truth import FARTHEST, Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely import Polygon

    Mask = NDArray[np.bool_]
    Grey = NDArray[np.uint8]


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


def _outline(points: Sequence[Sequence[float]]) -> "Polygon":
    """A polygon without crossings; of what lies on no map, as much as could."""
    from shapely import Polygon

    return Polygon(np.clip(np.array(points, float), -FARTHEST, FARTHEST)).buffer(0)
