"""When the fit is enough. A rule is a small value with its source; ``start`` gives the watcher of one fit."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dptools.purifiers.dip.reconstruction import Step


@dataclass(frozen=True)
class StopDecision:
    """What a rule says of a step.

    Attributes:
        keep: this step's image is the best so far.
        stop: why no more steps are needed; None to go on.
    """

    keep: bool
    stop: str | None = None


Watcher = Callable[["Step"], StopDecision]


class StoppingCriterion(Protocol):
    """When to stop."""

    @property
    def held_out(self) -> float:
        """The share of the pixels that the rule wants kept from the fit."""

    def start(self) -> Watcher:
        """A fresh watcher, to be shown every step of one fit."""


@dataclass
class Minimum:
    """The smallest value so far, and how long it has stood.

    Attributes:
        patience: iterations without a smaller one before it is believed.
    """

    patience: int
    value: float = math.inf
    iteration: int = 0

    def watch(self, iteration: int, value: float, reason: str) -> StopDecision:
        """Keep a step with a new minimum; stop for this reason when the last one has stood long enough."""
        if keep := value < self.value:
            self.value, self.iteration = value, iteration
        return StopDecision(keep, reason if iteration - self.iteration >= self.patience else None)


@dataclass(frozen=True)
class Fixed:
    """A fixed number of iterations: 1,750 in the Deep Protection paper, section 4.2."""

    iterations: int = 1750
    held_out: float = 0.0

    def start(self) -> Watcher:
        def watch(step: "Step") -> StopDecision:
            return StopDecision(keep=True, stop="iterations done" if step.iteration >= self.iterations else None)

        return watch

    def __str__(self) -> str:
        return f"fixed:{self.iterations}"


@dataclass(frozen=True)
class HeldOut:
    """The error at pixels that the fit never sees: it turns when noise begins to be fitted. Cross-validation, as in
    Batson and Royer, "Noise2Self" (arXiv 1901.11365). Perturbations too small to show there are left out by the cap.

    Attributes:
        patience: iterations without a new minimum before it is believed.
        held_out: share of the pixels kept from the fit.
        cap: fidelity, PSNR in dB of the average against the fitted pixels, past which nothing but detail too fine to
            matter, or a perturbation, is left to fit.
    """

    patience: int = 60
    held_out: float = 0.05
    cap: float = 33.0

    def start(self) -> Watcher:
        lowest = Minimum(self.patience)

        def watch(step: "Step") -> StopDecision:
            # An image of one pixel has none to hold out.
            error = step.error if step.held_out is None else step.held_out
            verdict = lowest.watch(step.iteration, error, "held-out error past its minimum")
            if step.error <= 10 ** (-self.cap / 10):
                return StopDecision(verdict.keep, f"fidelity of {self.cap:g} dB reached")
            return verdict

        return watch

    def __str__(self) -> str:
        return "held-out"
