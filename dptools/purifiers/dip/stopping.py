"""Stopping criteria: when a fit has reproduced the image but not yet its noise.

A criterion is a small value; its ``start`` returns a function that is called with every step of one fit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dptools.purifiers.dip.step import Step


@dataclass(frozen=True)
class StopDecision:
    """What a criterion decides at a step.

    Attributes:
        keep: this step's image is the best so far.
        stop: the reason to stop; None to go on.
    """

    keep: bool
    stop: str | None = None


Decide = Callable[["Step"], StopDecision]
"""The state of a criterion in one fit."""


class StoppingCriterion(Protocol):
    """When to stop a fit."""

    @property
    def held_out(self) -> float:
        """The share of the pixels that the fit must not see."""

    def start(self) -> Decide:
        """Return the decision function for one fit."""


@dataclass
class Minimum:
    """The smallest value so far, and when it was seen.

    Attributes:
        patience: iterations without a smaller value after which it counts as the minimum.
    """

    patience: int
    value: float = math.inf
    iteration: int = 0

    def update(self, iteration: int, value: float, reason: str) -> StopDecision:
        """Keep a step with a new minimum; stop for this reason when patience is exhausted."""
        if keep := value < self.value:
            self.value, self.iteration = value, iteration
        return StopDecision(keep, reason if iteration - self.iteration >= self.patience else None)


@dataclass(frozen=True)
class Fixed:
    """Stop after a fixed number of iterations: 1,750 in the Deep Protection paper, section 4.2."""

    iterations: int = 1750
    held_out: float = 0.0

    def start(self) -> Decide:
        def decide(step: "Step") -> StopDecision:
            return StopDecision(keep=True, stop="iterations done" if step.iteration >= self.iterations else None)

        return decide

    def __str__(self) -> str:
        return f"fixed:{self.iterations}"


@dataclass(frozen=True)
class HeldOut:
    """Stop when the error at held-out pixels has passed its minimum: from there on, noise is fitted.

    This is cross-validation, as in Batson and Royer, "Noise2Self" (arXiv 1901.11365). Perturbations that are too small
    to show there are excluded by the fidelity cap.

    Attributes:
        patience: iterations without a new minimum before it counts.
        held_out: share of the pixels that the fit does not see.
        cap: fidelity, the PSNR in dB of the average over the fitted pixels, at which the fit stops in any case: what
            remains to be fitted is detail that classifiers do not need, or a perturbation.
    """

    patience: int = 60
    held_out: float = 0.05
    cap: float = 33.0

    def start(self) -> Decide:
        lowest = Minimum(self.patience)

        def decide(step: "Step") -> StopDecision:
            error = step.error if step.held_out is None else step.held_out  # an image of one pixel has none to hold out
            decision = lowest.update(step.iteration, error, "held-out error past its minimum")
            if step.error <= 10 ** (-self.cap / 10):
                return StopDecision(decision.keep, f"fidelity of {self.cap:g} dB reached")
            return decision

        return decide

    def __str__(self) -> str:
        return "held-out"
