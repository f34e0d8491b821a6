"""Compare words and masks with the ground truth of a map.

The measures follow the ICDAR 2024 competition on historical map text: words are matched one to one if their
intersection over union is at least 0.5. Unlike in the competition, illegible words of the ground truth count too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dptools.maps.ground_truth import MAX_COORDINATE, TrueWord
from dptools.maps.images import Grey, Mask
from dptools.maps.merging import MIN_IOU, normalised

if TYPE_CHECKING:
    from shapely import Polygon


@dataclass
class Score:
    """Counts for precision and recall.

    Attributes:
        expected: Number of items in the ground truth.
        given: Number of items in the record.
        found: Number of items in both.
    """

    expected: int = 0
    given: int = 0
    found: int = 0

    @property
    def precision(self) -> float | None:
        """The fraction of the items in the record that are right, or None if there are none."""
        return self.found / self.given if self.given else None

    @property
    def recall(self) -> float | None:
        """The fraction of the expected items that were found, or None if there are none."""
        return self.found / self.expected if self.expected else None

    @property
    def f(self) -> float | None:
        """The harmonic mean of precision and recall (F1), or None if there are no items."""
        return 2 * self.found / (self.given + self.expected) if self.given + self.expected else None

    def add(self, other: Self) -> None:
        """Add the counts of another map."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class MaskScore(Score):
    """Counts of pixels: text inside the words' outlines, pixels of the mask, and pixels in both."""


@dataclass
class WordScore(Score):
    """Counts of words.

    Attributes:
        read: Number of matched words with the right text. Case and punctuation at the ends are ignored.
        likeness: Sum over the matched words of 1 - edit distance / length of the longer text.
    """

    read: int = 0
    likeness: float = 0.0

    @property
    def characters(self) -> float | None:
        """1 - mean normalised edit distance of the matched words, or None if there are none."""
        return self.likeness / self.found if self.found else None


def score_words(truth: Sequence[TrueWord], words: Iterable[Mapping[str, Any]]) -> WordScore:
    """Return the score of words. They are matched with the ground truth greedily by intersection over union.

    Args:
        truth: The words on the map.
        words: Detected words as mappings with ``text`` and ``polygon``.
    """
    detected = [(str(word["text"]), as_polygon(word["polygon"])) for word in words]
    score = WordScore(len(truth), len(detected))
    for i, j in _matches(truth, [outline for _, outline in detected]):
        true_text, text = (normalised(text) or text for text in (truth[i].text, detected[j][0]))
        score.found += 1
        score.read += true_text == text
        score.likeness += 1 - edit_distance(true_text, text) / max(len(true_text), len(text), 1)
    return score


def score_mask(truth: Iterable[TrueWord], grey: Grey, mask: Mask) -> MaskScore:
    """Return the score of a mask.

    The expected pixels are those inside a word's outline that are darker than the outline's own Otsu threshold.

    Args:
        truth: The words on the map.
        grey: The map, H x W, inverted if its text is light.
        mask: The mask, H x W.
    """
    from PIL import Image, ImageDraw
    from skimage.filters import threshold_otsu

    text = np.zeros(grey.shape, bool)
    for word in truth:
        outline = Image.new("1", (grey.shape[1], grey.shape[0]))
        ImageDraw.Draw(outline).polygon(list(word.outline.exterior.coords), fill=1)
        inside = np.asarray(outline)
        shades = grey[inside]
        if shades.size and np.ptp(shades):
            text |= inside & (grey <= threshold_otsu(shades))
    return MaskScore(int(text.sum()), int(mask.sum()), int((text & mask).sum()))


def edit_distance(one: str, other: str) -> int:
    """Return the Levenshtein distance of two texts: the fewest insertions, deletions and replacements of characters."""
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, other_char in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (char != other_char))
    return row[-1]


def _matches(truth: Sequence[TrueWord], outlines: "Sequence[Polygon]") -> list[tuple[int, int]]:
    """Return the matched pairs of indices, the best pairs first. Each index occurs once at most."""
    from shapely import STRtree

    tree = STRtree([outline.envelope for outline in outlines])
    near = [(i, int(j)) for i, word in enumerate(truth) for j in tree.query(word.outline.envelope)]
    pairs = [(overlap, i, j) for i, j in near if (overlap := truth[i].iou(outlines[j])) >= MIN_IOU]
    by_truth, by_word = dict[int, int](), dict[int, int]()
    for _, i, j in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if i not in by_truth and j not in by_word:
            by_truth[i], by_word[j] = j, i
    return list(by_truth.items())


def as_polygon(points: Sequence[Sequence[float]]) -> "Polygon":
    """Return a valid polygon whose coordinates are clipped to the bounds of a map."""
    from shapely import Polygon

    return Polygon(np.clip(np.array(points, float), -MAX_COORDINATE, MAX_COORDINATE)).buffer(0)
