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

    Trials of one image are not independent. The interval is Wilson's with the effective number of trials: the variance
    of the rate is that of a bootstrap over clusters, in its linear approximation (Efron and Tibshirani 1993, An
    Introduction to the Bootstrap, chapter 8).

    Attributes:
        clusters: Successes and trials of each cluster.
    """

    clusters: Sequence[tuple[int, int]] = ()

    @property
    def _interval(self) -> tuple[float, float]:
        number = effective_trials([cluster for cluster in self.clusters if cluster[1]])
        return wilson(self.k * number / self.n, number)


def effective_trials(clusters: Sequence[tuple[int, int]]) -> float:
    """Return the number of independent trials that would determine the rate as precisely as these clusters.

    If all trials have the same result, this is the number of clusters.

    Args:
        clusters: Successes and trials of each cluster; at least one trial each.
    """
    trials = sum(n for _, n in clusters)
    rate = sum(k for k, _ in clusters) / trials
    variance = sum((k - rate * n) ** 2 for k, n in clusters) / trials**2
    if rate in (0, 1) or not variance:
        return len(clusters)
    return min(float(trials), max(1.0, rate * (1 - rate) / variance))


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
