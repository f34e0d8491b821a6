"""Results of randomised smoothing."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Label = TypeVar("Label", bound=Hashable)


@dataclass(frozen=True)
class Vote(Generic[Label]):
    """A prediction by vote, without a certificate.

    Attributes:
        label: The class with the most votes; None to abstain, because the lead is not significant.
        counts: Votes by class.
        draws: Number of noisy images.
        sigma: Standard deviation of the noise, on the [0, 1] scale.
        alpha: Probability of a class other than the most probable one.
    """

    label: Label | None
    counts: Mapping[Label, int]
    draws: int
    sigma: float
    alpha: float


@dataclass(frozen=True)
class Certificate(Generic[Label]):
    """A certified prediction of a smoothed classifier.

    With probability 1 - alpha over the noise, the smoothed classifier predicts ``label`` for every image within
    ``radius``.

    Attributes:
        label: The predicted class; None to abstain.
        radius: Certified radius in L2, on the [0, 1] scale; 0 to abstain.
        p_lower: Lower bound of the probability of the class.
        count: Votes for the class.
        draws: Number of noisy images that were counted.
        n0: Number of noisy images that chose the class.
        counts: All votes by class, for display.
        sigma: Standard deviation of the noise, on the [0, 1] scale.
        alpha: Probability that the certificate is wrong.
    """

    label: Label | None
    radius: float
    p_lower: float
    count: int
    draws: int
    n0: int
    counts: Mapping[Label, int]
    sigma: float
    alpha: float

    @property
    def abstained(self) -> bool:
        """Return whether there is no certified prediction."""
        return self.label is None
