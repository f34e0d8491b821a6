"""Stopping criteria, which end a fit when it has reproduced the image but not yet its noise.

A criterion is immutable. Its method ``start`` returns a function that is called with every step of one fit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dptools.purifiers.dip.step import Step


@dataclass(frozen=True)
class StopDecision:
    """The decision of a criterion at one step.

    Attributes:
        keep: whether this step's image is the best so far.
        stop: the reason to stop; None to go on.
    """

    keep: bool
    stop: str | None = None


Decide = Callable[["Step"], StopDecision]
"""A function that decides at each step of one fit. It holds the state of its criterion."""


class StoppingCriterion(Protocol):
    """When to stop a fit."""

    @property
    def held_out(self) -> float:
        """The fraction of the pixels that is hidden from the fit."""

    def start(self) -> Decide:
        """Return the decision function for one fit."""


@dataclass
class Minimum:
    """The smallest value so far, and its iteration.

    Attributes:
        patience: number of iterations without a smaller value after which the decision is to stop.
        value: the smallest value.
        iteration: the iteration of the smallest value.
    """

    patience: int
    value: float = math.inf
    iteration: int = 0

    def update(self, iteration: int, value: float, reason: str) -> StopDecision:
        """Decide to keep a step with a new minimum, and to stop for this reason when patience is exhausted."""
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
    """Stop when the error at held-out pixels has passed its minimum. After that, the fit reproduces noise.

    This is cross-validation, as in Batson and Royer, "Noise2Self" (arXiv 1901.11365). A perturbation can be too small
    to affect this error. The limit on fidelity stops the fit before it reproduces such a perturbation.

    Attributes:
        patience: iterations without a new minimum after which the fit stops.
        held_out: fraction of the pixels that is hidden from the fit.
        cap: limit on fidelity, in dB, at which the fit stops in any case. Fidelity is the PSNR of the averaged output
            over the fitted pixels. Beyond this limit, the fit would only add detail that classifiers do not need, or
            the perturbation.
    """

    patience: int = 60
    held_out: float = 0.05
    cap: float = 33.0

    def start(self) -> Decide:
        lowest = Minimum(self.patience)

        def decide(step: "Step") -> StopDecision:
            # An image of one pixel has no held-out pixel.
            error = step.error if step.held_out is None else step.held_out
            decision = lowest.update(step.iteration, error, "held-out error past its minimum")
            if step.error <= 10 ** (-self.cap / 10):
                return StopDecision(decision.keep, f"fidelity of {self.cap:g} dB reached")
            return decision

        return decide

    def __str__(self) -> str:
        return "held-out"
