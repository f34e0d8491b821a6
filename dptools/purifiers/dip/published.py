"""Stop rules of other papers, to compare with. Only the oracle needs a label; see :mod:`dptools.purifiers.dip.stopping`."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.errors import UsageError
from dptools.purifiers.dip.stopping import Minimum, StopDecision, Watcher

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.purifiers.dip.reconstruction import Step


@dataclass(frozen=True)
class Oracle:
    """The first image that a classifier gets right: the automatic termination of the Deep Protection paper, section
    3.1, which knows the answer. It says how good a stop could be, and serves no one who has no label.

    Attributes:
        right: whether an image 1 x 3 x H x W shows the true label, and not the adversarial one, in its top five.
        every: iterations from one look to the next.
    """

    right: Callable[["Tensor"], bool] | None = None
    every: int = 50
    held_out: float = 0.0

    def start(self) -> Watcher:
        right = self.right
        if right is None:
            raise UsageError("stop rule oracle needs a classifier to ask, and a label")

        def watch(step: "Step") -> StopDecision:
            looks = step.iteration % self.every == 0
            return StopDecision(keep=True, stop="true label found" if looks and right(step.average) else None)

        return watch

    def __str__(self) -> str:
        return "oracle"


@dataclass(frozen=True)
class LossThreshold:
    """The first image that is so near: the stop of Ilyas et al., "The Robust Manifold Defense" (arXiv 1712.09196).

    Attributes:
        threshold: mean squared error against the input, on the [0, 1] scale.
    """

    threshold: float
    held_out: float = 0.0

    def start(self) -> Watcher:
        def watch(step: "Step") -> StopDecision:
            near = step.error <= self.threshold
            return StopDecision(keep=True, stop=f"error of {self.threshold:g} reached" if near else None)

        return watch

    def __str__(self) -> str:
        return f"loss:{self.threshold:g}"


@dataclass(frozen=True)
class Plateau:
    """The error does not fall any more: the automatic stop that the Deep Protection paper, section 5, would like.

    Attributes:
        window: iterations over which errors are averaged, and compared with as many before.
        fall: by what share the error has to fall from one window to the next.
    """

    window: int = 50
    fall: float = 0.05
    held_out: float = 0.0

    def start(self) -> Watcher:
        errors: deque[float] = deque(maxlen=2 * self.window)

        def watch(step: "Step") -> StopDecision:
            errors.append(step.error)
            if len(errors) < 2 * self.window:
                return StopDecision(keep=True)
            before, now = sum(list(errors)[: self.window]), sum(list(errors)[self.window :])
            flat = now > (1 - self.fall) * before
            return StopDecision(keep=True, stop="error on a plateau" if flat else None)

        return watch

    def __str__(self) -> str:
        return "plateau"


@dataclass(frozen=True)
class Variance:
    """The outputs' running variance is smallest: ES-EMV of Wang et al. (arXiv 2112.06074).

    Attributes:
        weight: of the newest output in the moving averages.
        floor: iterations before which no minimum counts, for the variance dips early.
        patience: iterations without a new minimum before it is believed.
    """

    weight: float = 0.1
    floor: int = 100
    patience: int = 1000
    held_out: float = 0.0

    def start(self) -> Watcher:
        mean: Tensor | None = None
        variance, lowest = 0.0, Minimum(self.patience)

        def watch(step: "Step") -> StopDecision:
            nonlocal mean, variance
            mean = step.output if mean is None else mean
            distance = step.output - mean
            mean = mean + self.weight * distance
            variance = (1 - self.weight) * (variance + self.weight * float(distance.square().mean()))
            if step.iteration <= self.floor:
                return StopDecision(keep=True)
            return lowest.watch(step.iteration, variance, "variance past its minimum")

        return watch

    def __str__(self) -> str:
        return "variance"


@dataclass(frozen=True)
class DIPDefend:
    """The smallest PSNR of all patches, smoothed, is largest: Dai et al., "DIPDefend", ACM Multimedia 2020.

    The smoothing is Holt's, with a trend. The trend begins with the slope of the first errors, by regression: begun, as
    published, with the difference of the first two, it often is negative from the start, and the first image is kept.

    Attributes:
        weight: Holt's, for both level and trend.
        patch: side of a patch in pixels.
        warm_up: iterations that the first trend is taken from.
        patience: iterations without a new maximum before it is believed.
    """

    weight: float = 0.002
    patch: int = 32
    warm_up: int = 20
    patience: int = 100
    held_out: float = 0.0

    def start(self) -> Watcher:
        first: list[float] = []
        level, trend, lowest = 0.0, 0.0, Minimum(self.patience)

        def watch(step: "Step") -> StopDecision:
            nonlocal level, trend
            worst = _worst_patch(step.residual, self.patch)
            if len(first) < self.warm_up:
                first.append(worst)
                level, trend = worst, _slope(first)
                return StopDecision(keep=True)
            before, level = level, self.weight * worst + (1 - self.weight) * (level + trend)
            trend = self.weight * (level - before) + (1 - self.weight) * trend
            return lowest.watch(step.iteration, -level, "PSNR of the worst patch past its maximum")

        return watch

    def __str__(self) -> str:
        return "dipdefend"


def _worst_patch(residual: "Tensor", side: int) -> float:
    """PSNR in dB of the worst patch of a residual 1 x 3 x H x W; patches at the border may be smaller."""
    from torch.nn.functional import avg_pool2d

    squared = residual.square().mean(dim=1, keepdim=True)
    errors = avg_pool2d(squared, side, ceil_mode=True, count_include_pad=False)
    return -10 * math.log10(max(float(errors.max()), 1e-12))


def _slope(values: list[float]) -> float:
    """Of the regression line through values one apart."""
    count = len(values)
    if count < 2:
        return 0.0
    middle = (count - 1) / 2
    spread = sum((at - middle) ** 2 for at in range(count))
    return sum((at - middle) * value for at, value in enumerate(values)) / spread
