"""Stopping criteria of the literature, for comparison. Only the oracle needs a label."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import linear_regression
from typing import TYPE_CHECKING

from dptools.errors import UsageError
from dptools.purifiers.dip.stopping import Decide, Minimum, StopDecision
from dptools.texts import exact

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.purifiers.dip.step import Step


@dataclass(frozen=True)
class Oracle:
    """Stop at the first image that a classifier classifies correctly.

    This is the automatic termination of the Deep Protection paper, sections 3.1 and 4.1. It needs the true label, so it
    is an upper bound on stopping criteria, not a method for users.

    Attributes:
        right: returns whether an image, 1 x 3 x H x W, is correct: its top five classes contain the true label but not
            the adversarial one.
        every: iterations from one classification to the next.
    """

    right: Callable[["Tensor"], bool] | None = None
    every: int = 50
    held_out: float = 0.0

    def start(self) -> Decide:
        right = self.right
        if right is None:
            raise UsageError("the oracle needs a classifier and a true label")

        def decide(step: "Step") -> StopDecision:
            due = step.iteration % self.every == 0
            return StopDecision(keep=True, stop="true label found" if due and right(step.average) else None)

        return decide

    def __str__(self) -> str:
        return "oracle"


@dataclass(frozen=True)
class LossThreshold:
    """Stop at a loss threshold, as in Ilyas et al., "The Robust Manifold Defense" (arXiv 1712.09196).

    Attributes:
        threshold: mean squared error against the input, on the [0, 1] scale.
    """

    threshold: float
    held_out: float = 0.0

    def start(self) -> Decide:
        def decide(step: "Step") -> StopDecision:
            near = step.error <= self.threshold
            return StopDecision(keep=True, stop=f"error of {self.threshold:g} reached" if near else None)

        return decide

    def __str__(self) -> str:
        return f"loss:{exact(self.threshold)}"


@dataclass(frozen=True)
class Plateau:
    """Stop when the error no longer falls, as proposed for future work in the Deep Protection paper, section 5.

    Attributes:
        window: iterations over which errors are averaged. The mean is compared with that of the previous window.
        fall: the fraction by which the mean error has to fall from one window to the next.
    """

    window: int = 50
    fall: float = 0.05
    held_out: float = 0.0

    def start(self) -> Decide:
        errors: deque[float] = deque(maxlen=2 * self.window)

        def decide(step: "Step") -> StopDecision:
            errors.append(step.error)
            if len(errors) < 2 * self.window:
                return StopDecision(keep=True)
            before, now = sum(list(errors)[: self.window]), sum(list(errors)[self.window :])
            flat = now > (1 - self.fall) * before
            return StopDecision(keep=True, stop="error on a plateau" if flat else None)

        return decide

    def __str__(self) -> str:
        return "plateau"


@dataclass(frozen=True)
class Variance:
    """Stop when the running variance of the outputs has passed its minimum: ES-EMV of Wang et al. (arXiv 2112.06074).

    Attributes:
        weight: weight of the newest output in the moving averages.
        floor: number of first iterations in which no minimum counts, because the variance dips early.
        patience: iterations without a new minimum after which the fit stops.
    """

    weight: float = 0.1
    floor: int = 100
    patience: int = 1000
    held_out: float = 0.0

    def start(self) -> Decide:
        mean: Tensor | None = None
        variance, lowest = 0.0, Minimum(self.patience)

        def decide(step: "Step") -> StopDecision:
            nonlocal mean, variance
            mean = step.output if mean is None else mean
            distance = step.output - mean
            mean = mean + self.weight * distance
            variance = (1 - self.weight) * (variance + self.weight * float(distance.square().mean()))
            if step.iteration <= self.floor:
                return StopDecision(keep=True)
            return lowest.update(step.iteration, variance, "variance past its minimum")

        return decide

    def __str__(self) -> str:
        return "variance"


@dataclass(frozen=True)
class DIPDefend:
    """Stop when the smoothed PSNR of the worst patch has passed its maximum: Dai et al., "DIPDefend", ACM MM 2020.

    The PSNR is smoothed by Holt's exponential smoothing with a trend. The initial trend is the slope of a regression
    over the first values. The paper instead uses the difference of the first two values. If that difference is
    negative, as it often is, the criterion keeps the first image of the fit.

    Attributes:
        weight: weight of the newest value in Holt's level and trend.
        patch: side of a patch in pixels.
        warm_up: number of first iterations, from which the initial trend is computed.
        patience: iterations without a new maximum after which the fit stops.
    """

    weight: float = 0.002
    patch: int = 32
    warm_up: int = 20
    patience: int = 100
    held_out: float = 0.0

    def start(self) -> Decide:
        first: list[float] = []
        level, trend, lowest = 0.0, 0.0, Minimum(self.patience)

        def decide(step: "Step") -> StopDecision:
            nonlocal level, trend
            worst = _worst_patch(step.residual, self.patch)
            if len(first) < self.warm_up:
                first.append(worst)
                level, trend = worst, linear_regression(range(len(first)), first).slope if len(first) > 1 else 0.0
                return StopDecision(keep=True)
            before, level = level, self.weight * worst + (1 - self.weight) * (level + trend)
            trend = self.weight * (level - before) + (1 - self.weight) * trend
            return lowest.update(step.iteration, -level, "PSNR of the worst patch past its maximum")

        return decide

    def __str__(self) -> str:
        return "dipdefend"


def _worst_patch(residual: "Tensor", side: int) -> float:
    """Return the PSNR in dB of the worst patch of a residual 1 x 3 x H x W; patches at the border may be smaller."""
    from torch.nn.functional import avg_pool2d

    squared = residual.square().mean(dim=1, keepdim=True)
    errors = avg_pool2d(squared, side, ceil_mode=True, count_include_pad=False)
    return -10 * math.log10(max(float(errors.max()), 1e-12))
