"""One fit that several stopping criteria observe, and a restart after divergence."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from dptools.errors import SampleError
from dptools.purifiers.dip.loop import steps
from dptools.purifiers.dip.settings import FitSettings
from dptools.purifiers.dip.step import Step

Observer = Callable[[Step], None]
"""A function that is called with every step of every fit, tile after tile."""

GRACE = 100
"""Number of first iterations in which the error of a fit may reach MAX_ERROR.

After them, a fit counts as diverged if its error exceeds about twice the variance of the image.
"""

MAX_ERROR = 1.0
"""The largest mean squared error between two images in [0, 1]. Images with strong noise may exceed it."""


@dataclass(frozen=True)
class Restoration:
    """The result of a fit.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        step: the iteration that the image comes from.
        iterations: number of iterations of the fit.
        reason: why the fit stopped.
        restarted: whether a fit diverged and was repeated with a tenth of the learning rate.
        tiles: number of fits, one per tile. Step, iterations and reason are those of the longest fit.
    """

    image: Tensor = field(repr=False)
    step: int
    iterations: int
    reason: str
    restarted: bool = False
    tiles: int = 1


def fit(image: Tensor, settings: FitSettings, *, seed: int, observe: Observer | None = None) -> Restoration:
    """Fit one image or tile until the stopping criterion is met; see :func:`fit_each`.

    Raises:
        SampleError: the fit diverged twice.
    """
    (restoration,) = fit_each(image, [settings], seed=seed, observe=observe)
    return result_or_error(restoration)


def fit_each(
    image: Tensor, settings: Sequence[FitSettings], *, seed: int, observe: Observer | None = None
) -> list[Restoration | None]:
    """Fit one image or tile until each stopping criterion is met; see :func:`restore_each`.

    A fit that diverges is repeated with a tenth of the learning rate, for the criteria that were not met before.
    """
    results: list[Restoration | None] = [None] * len(settings)
    for share in dict.fromkeys(each.stop.held_out for each in settings):
        group = [index for index, each in enumerate(settings) if each.stop.held_out == share]
        _fit(image, settings, group, results, seed, observe)
        if pending := [index for index in group if results[index] is None]:
            slower = [replace(each, learning_rate=each.learning_rate / 10) for each in settings]
            _fit(image, slower, pending, results, seed, observe)
            for index in pending:
                restarted = results[index]
                results[index] = None if restarted is None else replace(restarted, restarted=True)
    return results


def _fit(
    image: Tensor,
    settings: Sequence[FitSettings],
    group: Sequence[int],
    results: list[Restoration | None],
    seed: int,
    observe: Observer | None,
) -> None:
    """Run one fit, and enter the result of each criterion of a group, until all are met or the fit diverges."""
    watchers = {index: _Watcher(settings[index]) for index in group}
    spread = image.var(dim=(-2, -1)).mean().item() if image[0, 0].numel() > 1 else 0.0
    for step in steps(image, settings[group[0]], seed=seed):
        limit = 2 * spread + 0.01 if step.iteration > GRACE else max(MAX_ERROR, 2 * spread + 0.01)
        if not math.isfinite(step.loss) or step.error > limit:
            return
        if observe:
            observe(step)
        for index, watcher in list(watchers.items()):
            if (done := watcher(step)) is not None:
                results[index] = done
                del watchers[index]
        if not watchers:
            return


class _Watcher:
    """One stopping criterion, with the best step so far."""

    def __init__(self, settings: FitSettings) -> None:
        self.decide, self.limit = settings.stop.start(), settings.max_iterations
        self.best: Step | None = None

    def __call__(self, step: Step) -> Restoration | None:
        """Look at a step, and return the result if the fit stops here."""
        decision = self.decide(step)
        self.best = step if decision.keep or self.best is None else self.best
        reason = decision.stop or ("iteration limit reached" if step.iteration >= self.limit else None)
        return Restoration(self.best.average, self.best.iteration, step.iteration, reason) if reason else None


def result_or_error(restoration: Restoration | None) -> Restoration:
    """Return the restoration.

    Raises:
        SampleError: there is none, because the fit diverged twice.
    """
    if restoration is None:
        raise SampleError("Diverged", "the fit diverged, even with a tenth of the learning rate")
    return restoration
