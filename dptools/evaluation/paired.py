"""Compare two methods on the same images: difference in accuracy, its interval, and McNemar's test."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from dptools.errors import UsageError
from dptools.evaluation.hits import TOPS, UNKNOWN, Hits, hits
from dptools.evaluation.intervals import wilson
from dptools.evaluation.keys import Record, is_scored, method, pairing_id
from dptools.texts import printable


@dataclass(frozen=True)
class PairedCounts:
    """Numbers of image pairs in which both methods are correct, only the first, only the second, or neither."""

    both: int
    first: int
    second: int
    neither: int

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

        Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10. It combines the Wilson intervals of
        both accuracies and corrects for the correlation between them.
        """
        rate1, rate2 = (self.both + self.first) / self.n, (self.both + self.second) / self.n
        (low1, high1), (low2, high2) = (wilson(self.both + only, self.n) for only in (self.first, self.second))
        below = _combined(rate1 - low1, high2 - rate2, self._correlation)
        above = _combined(rate2 - low2, high1 - rate1, self._correlation)
        return max(-1.0, self.difference - below), min(1.0, self.difference + above)

    @property
    def p(self) -> float:
        """Return the two-sided p-value of McNemar's exact test.

        The null hypothesis is that both methods are correct equally often.
        """
        from scipy.stats import binomtest

        discordant = self.first + self.second
        return float(binomtest(self.first, discordant).pvalue) if discordant else 1.0

    @property
    def _correlation(self) -> float:
        """Return the phi coefficient with Newcombe's continuity correction; 0 if a marginal count is 0."""
        product = self.both * self.neither - self.first * self.second
        corrected = max(product - self.n / 2, 0) if product > 0 else product
        margins = (
            (self.both + self.first)
            * (self.second + self.neither)
            * (self.both + self.second)
            * (self.first + self.neither)
        )
        return corrected / sqrt(margins) if margins else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the counts and, if there are pairs, the estimates as a JSON object, documented in dp-eval(1)."""
        counts = {"n": self.n, **vars(self)}
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
        counts: Number of pairs by three keys: k, whether the record is correct by top-k, and whether its partner is.
        unpaired_records: Number of records that have no partner, or for which one of the two results is unknown.
    """

    unmatched: dict[str, Hits]
    second_methods: Sequence[str] = ()
    first_methods: dict[str, None] = field(default_factory=dict)
    counts: Counter[tuple[int, bool, bool]] = field(default_factory=Counter)
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
        self.counts.update(pairs)

    def pairs(self, top: int) -> PairedCounts:
        """Return the counts of pairs by top-1 or top-5 accuracy."""
        cells = ((True, True), (True, False), (False, True), (False, False))
        return PairedCounts(*(self.counts[top, first, second] for first, second in cells))


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


def _combined(below: float, above: float, correlation: float) -> float:
    """Return ``|a - b|`` for vectors of lengths ``below`` and ``above`` whose angle has the cosine ``correlation``."""
    return sqrt(max(0.0, below * below - 2 * correlation * below * above + above * above))
