"""Bounds on the probability of a class, from counts of votes."""

from collections.abc import Sequence
from functools import lru_cache

from scipy.special import betaincinv, ndtri
from scipy.stats import binomtest

FINAL_SHARE = 0.8
"""Share of alpha that is spent on the last look if there are earlier looks. These share the rest equally."""

FUTILITY = 1e-3
"""Certification ends if a class with a probability of 1/2 would get this few votes with less than this probability."""


@lru_cache(maxsize=65536)
def clopper_pearson_lower(count: int, draws: int, alpha: float) -> float:
    """Return a lower bound of a binomial probability that holds with probability 1 - alpha (Clopper and Pearson 1934).

    Args:
        count: Number of successes.
        draws: Number of trials.
        alpha: Probability that the bound exceeds the true value.
    """
    return float(betaincinv(count, draws - count + 1, alpha)) if count else 0.0


def radius(p_lower: float, sigma: float) -> float:
    """Return the certified L2 radius, sigma times the normal quantile of p_lower; 0 if p_lower is not above 1/2."""
    return float(sigma * ndtri(p_lower)) if p_lower > 0.5 else 0.0


def looks(draws: int, early: bool) -> list[int]:
    """Return the numbers of draws after which the bound is computed: an eighth, a quarter, a half, and all."""
    parts = (8, 4, 2, 1) if early else (1,)
    return [draws // part for part in parts if draws // part]


def alpha_of_look(number: int, total: int, alpha: float) -> float:
    """Return the share of alpha of one of several looks. The shares sum to alpha, so all bounds hold together.

    This is the union bound of Horvath et al. (arXiv 2106.06946), with most of alpha spent on the last look.

    Args:
        number: Number of the look, from 0.
        total: Number of looks.
        alpha: The probability of an error, over all looks.
    """
    if total == 1:
        return alpha
    return FINAL_SHARE * alpha if number == total - 1 else (1 - FINAL_SHARE) * alpha / (total - 1)


@lru_cache(maxsize=65536)
def is_futile(count: int, draws: int) -> bool:
    """Return whether a class is so rare that a certificate is out of reach. To abstain needs no share of alpha."""
    if not draws or 2 * count >= draws:
        return False
    return bool(binomtest(count, draws, 0.5, alternative="less").pvalue < FUTILITY)


def is_clear(counts: Sequence[int], alpha: float) -> bool:
    """Return whether the first of two counts is larger with significance (PREDICT of arXiv 1902.02918).

    Args:
        counts: Votes of the most and of the second most frequent class.
        alpha: Probability of a wrong answer.
    """
    first, second = counts
    return bool(binomtest(first, first + second, 0.5).pvalue <= alpha) if first + second else False
