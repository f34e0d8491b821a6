"""Confidence intervals against published values and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from dptools.evaluation.formatting import percent
from dptools.evaluation.intervals import ClusteredRate, Rate, wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_published_intervals(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(k_of_n: tuple[int, int]) -> None:
    k, n = k_of_n
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n, z=norm.ppf(0.975)) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-8)


def test_wilson_bounds_of_no_and_of_all_successes_are_exactly_0_and_1() -> None:
    assert [(wilson(0, n)[0], wilson(n, n)[1]) for n in range(1, 200)] == [(0.0, 1.0)] * 199


def test_rates_are_shown_in_per_cent_with_their_interval() -> None:
    assert percent(Rate(84, 100)) == "84 [76-90]"
    assert percent(Rate(0, 0)) == "-"


@pytest.mark.parametrize("images", [3, 5, 20, 60])
@pytest.mark.parametrize("correlated", [0.01, 1.0, 3.0, 1000.0])
def test_intervals_of_clusters_cover_the_true_rate(images: int, correlated: float) -> None:
    """Images differ in difficulty, and eight attacks on one image share it: the beta-binomial distribution."""
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        difficulty = random.beta(0.7 * correlated, 0.3 * correlated, size=images)
        successes = random.binomial(8, difficulty)
        rate = ClusteredRate(int(successes.sum()), 8 * images, [(int(k), 8) for k in successes])
        covered += rate.low <= 0.7 <= rate.high
    assert covered >= 920


def test_intervals_of_clusters_are_wider_than_those_of_independent_trials() -> None:
    random = np.random.default_rng(0)
    successes = random.binomial(8, random.beta(0.7, 0.3, size=60))
    rate = ClusteredRate(int(successes.sum()), 480, [(int(k), 8) for k in successes])
    plain = Rate(rate.k, rate.n)
    assert rate.high - rate.low > 1.8 * (plain.high - plain.low)


def test_one_trial_in_each_cluster_gives_the_interval_of_independent_trials() -> None:
    rate = ClusteredRate(7, 10, [(1, 1)] * 7 + [(0, 1)] * 3)
    assert (rate.low, rate.high) == pytest.approx(wilson(7, 10))
