"""Rates with confidence intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z_95 = 1.959964
"""The 0.975 quantile of the standard normal distribution, for two-sided 95 % intervals."""


@dataclass(frozen=True)
class Rate:
    """A rate with its Wilson score interval at 95 %.

    Attributes:
        k: Number of successes.
        n: Number of trials; may be 0.
    """

    k: int
    n: int

    @property
    def low(self) -> float:
        """Return the lower bound of the interval. Requires n > 0."""
        return self._interval[0]

    @property
    def high(self) -> float:
        """Return the upper bound of the interval. Requires n > 0."""
        return self._interval[1]

    @property
    def _interval(self) -> tuple[float, float]:
        return wilson(self.k, self.n)

    def as_json(self) -> dict[str, int | float | None]:
        """Return the counts, the rate and its interval; the rate and the bounds are None if n is 0."""
        estimates = {"rate": self.k / self.n, "low": self.low, "high": self.high} if self.n else {}
        return {"k": self.k, "n": self.n, "rate": None, "low": None, "high": None} | estimates


@dataclass(frozen=True)
class ClusteredRate(Rate):
    """A rate over trials in clusters, such as several attacks on each image.

    Trials of one image are not independent. The interval is Wilson's with the effective number of trials of Korn and
    Graubard 1998, Confidence Intervals for Proportions with Small Expected Number of Positive Counts Estimated from
    Survey Data.

    Attributes:
        clusters: Successes and trials of each cluster.
    """

    clusters: Sequence[tuple[int, int]] = ()

    @property
    def _interval(self) -> tuple[float, float]:
        number = effective_trials([cluster for cluster in self.clusters if cluster[1]])
        return wilson(self.k * number / self.n, number)


def effective_trials(clusters: Sequence[tuple[int, int]], variance: float | None = None) -> float:
    """Return the number of independent trials that would determine the mean as precisely as these clusters.

    The variance between few clusters is itself uncertain, so the number is multiplied by the square of the ratio of the
    quantiles of the normal distribution and of Student's t. It is not smaller than if all trials of a cluster had the
    same result (Kish 1965, Survey Sampling): the number of clusters, if they are equally large.

    Args:
        clusters: Sum of the values of the trials, and number of trials, of each cluster; at least one trial each.
        variance: Variance of the value of one trial; by default, that of 0 or 1 with the mean of the clusters.
    """
    count, trials = len(clusters), sum(n for _, n in clusters)
    mean = sum(k for k, _ in clusters) / trials
    smallest = trials**2 / sum(n * n for _, n in clusters)
    squares = sum((k - mean * n) ** 2 for k, n in clusters)
    if not squares:  # the differences between the clusters say nothing
        return smallest
    between = squares / trials**2 * count / (count - 1)
    number = (mean * (1 - mean) if variance is None else variance) / between
    return max(smallest, min(number * (Z_95 / _t_95(count - 1)) ** 2, trials))


def _t_95(degrees: int) -> float:
    """Return the 0.975 quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5): 0.1 % too small for 3 degrees.

    It is 11 % too small for 1 degree, where this matters little: the effective number of trials has a lower limit. The
    formula is used because importing ``scipy.stats`` takes 0.8 s.
    """
    z = Z_95
    terms: tuple[float, ...] = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / float(degrees**power) for power, term in enumerate(terms))


def wilson(k: float, n: float, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a binomial proportion (Wilson 1927).

    ``scipy.stats.binomtest(k, n).proportion_ci(method="wilson")`` gives the same interval. The closed formula is used
    because importing ``scipy.stats`` takes 0.8 s, and ``dp-eval`` otherwise starts and ends in 0.35 s.

    Args:
        k: Number of successes. It may be a fraction if the trials are weighted.
        n: Number of trials, at least 1.
        z: Quantile of the standard normal distribution; the default gives 95 % coverage.
    """
    rate, z2_n = k / n, z * z / n
    centre = (rate + z2_n / 2) / (1 + z2_n)
    half_width = z / (1 + z2_n) * math.sqrt(rate * (1 - rate) / n + z2_n / (4 * n))
    # Rounding must not move the lower bound off 0 if k is 0, nor the upper bound off 1 if k is n.
    return max(0.0, centre - half_width) if k else 0.0, min(1.0, centre + half_width) if k < n else 1.0
