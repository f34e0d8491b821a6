"""Compare two methods on the same images: difference in accuracy, its interval, and a test of no difference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from dptools.errors import UsageError
from dptools.evaluation.hits import TOPS, UNKNOWN, Hits, hits
from dptools.evaluation.image_counts import ImageCounts
from dptools.evaluation.intervals import effective_trials, wilson
from dptools.evaluation.keys import Record, is_scored, method, pairing_id, source_image
from dptools.texts import printable


@dataclass(frozen=True)
class PairedCounts:
    """Numbers of pairs of results in which both methods are correct, only the first, only the second, or neither.

    Attributes:
        by_image: For each image, the pairs in which only the first is correct minus those in which only the second is,
            and the number of pairs. Empty if each image occurs in one pair only.
    """

    both: int
    first: int
    second: int
    neither: int
    by_image: Sequence[tuple[int, int]] = ()

    @property
    def n(self) -> int:
        """Return the number of pairs."""
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float:
        """Return the first method's accuracy minus the second's. Requires n > 0."""
        return (self.first - self.second) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval of the difference. Requires n > 0.

        If images occur several times, the counts are reduced to the effective number of independent pairs.
        """
        number: float = self.n
        if self.by_image:
            variance = (self.first + self.second) / self.n - self.difference**2
            number = effective_trials(self.by_image, variance)
        return newcombe(*(count * number / self.n for count in (self.both, self.first, self.second, self.neither)))

    @property
    def p(self) -> float:
        """Return the two-sided p value of no difference: of McNemar's exact test if each image occurs once.

        If images occur several times, it is that of an exact test that exchanges the methods for all pairs of an image
        at once (Fisher 1935, The Design of Experiments). With one pair for each image, this is McNemar's.
        """
        if self.by_image:
            return sign_flip_p([difference for difference, _ in self.by_image])
        from scipy.stats import binomtest

        discordant = self.first + self.second
        return float(binomtest(self.first, discordant).pvalue) if discordant else 1.0

    def as_json(self) -> dict[str, Any]:
        """Return the counts and, if there are pairs, the estimates as a JSON object, documented in dp-eval(1)."""
        names = ("n", "both", "first", "second", "neither")
        counts = {name: getattr(self, name) for name in names}
        if not self.n:
            return counts
        low, high = self.interval
        return {**counts, "difference": self.difference, "low": low, "high": high, "p": self.p}


@dataclass
class Comparison:
    """Records paired with those of another file by their ids.

    Attributes:
        unmatched: Whether the other file is correct, by id. An entry is removed once it is paired.
        second_methods: The methods of the other file.
        first_methods: The methods of the records.
        by_image: Numbers of pairs. The name of a count consists of k, whether the record is correct by top-k, and
            whether its partner is: ``1TF``, for example.
        unpaired_records: Number of records that have no partner, or for which one of the two results is unknown.
    """

    unmatched: dict[str, Hits]
    second_methods: Sequence[str] = ()
    first_methods: dict[str, None] = field(default_factory=dict)
    by_image: ImageCounts[str] = field(default_factory=ImageCounts)
    unpaired_records: int = 0

    @classmethod
    def against(cls, records: Iterable[Record]) -> "Comparison":
        """Return a comparison with these records.

        Raises:
            UsageError: An id occurs twice, so the pairing is ambiguous.
        """
        found: dict[str, Hits] = {}
        methods: dict[str, None] = {}
        for record in records:
            record_id = pairing_id(record)
            if record_id in found:
                name = printable(record_id)
                raise UsageError(f"the id {name} occurs twice in the records to compare with: remove one")
            found[record_id] = scored_hits(record)
            if found[record_id] != UNKNOWN:
                methods[method(record)] = None
        return cls(found, list(methods))

    @property
    def first(self) -> str:
        """Return the name of the records: their methods."""
        return " + ".join(self.first_methods) or "first"

    @property
    def second(self) -> str:
        """Return the name of the other file: its methods."""
        return " + ".join(self.second_methods) or "second"

    @property
    def unpaired(self) -> int:
        """Return the number of records that are in no counted pair. A pair with an unknown result counts once."""
        return self.unpaired_records + len(self.unmatched)

    def add(self, record: Record) -> None:
        """Pair a record with its partner in the other file."""
        both = zip(TOPS, scored_hits(record), self.unmatched.pop(pairing_id(record), UNKNOWN), strict=True)
        pairs = [(top, first, second) for top, first, second in both if first is not None and second is not None]
        if not pairs:
            self.unpaired_records += 1
            return
        self.first_methods[method(record)] = None
        counts = self.by_image.find(source_image(record))
        counts.update(f"{top}{'FT'[first]}{'FT'[second]}" for top, first, second in pairs)

    def pairs(self, top: int) -> PairedCounts:
        """Return the counts of pairs by top-1 or top-5 accuracy."""
        names = [f"{top}{cell}" for cell in ("TT", "TF", "FT", "FF")]
        images = [[counts[name] for name in names] for counts in self.by_image.clusters.values()]
        both, first, second, neither = (sum(image[cell] for image in images) for cell in range(4))
        differences = [(image[1] - image[2], sum(image)) for image in images if any(image)]
        return PairedCounts(both, first, second, neither, differences if self.by_image.repeats else ())


def comparisons_as_json(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Return comparisons as a JSON list, documented in dp-eval(1)."""
    adjusted = {top: adjusted_p_values(comparisons, top) for top in (1, 5)}
    objects = []
    for index, comparison in enumerate(comparisons):
        tops: dict[str, Any] = {}
        for top in (1, 5):
            pairs = comparison.pairs(top)
            tops[f"top{top}"] = pairs.as_json() | ({"p_holm": adjusted[top][index]} if pairs.n else {})
        names = {"first": comparison.first, "second": comparison.second}
        objects.append({**names, "unpaired": comparison.unpaired, **tops})
    return objects


def adjusted_p_values(comparisons: Sequence[Comparison], top: int) -> list[float]:
    """Return the p values of comparisons by top-1 or top-5 accuracy, adjusted for the number of those with pairs."""
    pairs = [comparison.pairs(top) for comparison in comparisons]
    adjusted = iter(holm([each.p for each in pairs if each.n]))
    return [next(adjusted) if each.n else 1.0 for each in pairs]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for the number of tests (Holm 1979), in the same order."""
    adjusted, largest = list(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def scored_hits(record: Record) -> Hits:
    """Return whether a record is correct; unknown if it counts in no rate."""
    return hits(record) if is_scored(record) else UNKNOWN


def newcombe(both: float, first: float, second: float, neither: float) -> tuple[float, float]:
    """Return the 95 % confidence interval of the difference of two paired proportions.

    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10. It combines the Wilson intervals of both
    proportions and corrects for the correlation between them, here the phi coefficient with Newcombe's continuity
    correction, or 0 if a marginal count is 0.

    Args:
        both: Number of pairs in which both are successes; a fraction if the pairs are weighted.
        first: Number of pairs in which only the first is.
        second: Number of pairs in which only the second is.
        neither: Number of pairs in which neither is. The sum of all is at least 1.
    """
    n = both + first + second + neither
    rates = (both + first) / n, (both + second) / n
    (low1, high1), (low2, high2) = (wilson(rate * n, n) for rate in rates)
    product = both * neither - first * second
    corrected = max(product - n / 2, 0) if product > 0 else product
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    correlation = corrected / sqrt(margins) if margins else 0.0
    below = _combined(rates[0] - low1, high2 - rates[1], correlation)
    above = _combined(rates[1] - low2, high1 - rates[0], correlation)
    difference = (first - second) / n
    return max(-1.0, difference - below), min(1.0, difference + above)


def sign_flip_p(differences: Sequence[int]) -> float:
    """Return the probability that a sum of differences with random signs is at least as far from 0 as theirs."""
    import numpy as np

    sizes = sorted(abs(difference) for difference in differences if difference)
    chances = np.ones(1)  # of the sums from -m to m in steps of 1, where m is the sum of the sizes so far
    for size in sizes:
        wider = np.zeros(len(chances) + 2 * size)
        wider[: len(chances)] = chances / 2
        wider[2 * size :] += chances / 2
        chances = wider
    middle, extreme = len(chances) // 2, abs(sum(differences))
    return min(1.0, float(chances[: middle - extreme + 1].sum() + chances[middle + extreme :].sum()))


def _combined(below: float, above: float, correlation: float) -> float:
    """Return ``|a - b|`` for vectors of lengths ``below`` and ``above`` whose angle has the cosine ``correlation``."""
    return sqrt(max(0.0, below * below - 2 * correlation * below * above + above * above))
