"""The deep image prior as a purifier: early stopping, tiles, and a restart after divergence."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.purifiers.dip.loop import steps
from dptools.purifiers.dip.settings import DIP, FitSettings
from dptools.purifiers.dip.step import Step
from dptools.purifiers.dip.stopping import StoppingCriterion
from dptools.purifiers.purifier import Purifier, check_images, draw_seeds, grey_like
from dptools.purifiers.tiling import in_tiles, tiles

logger = logging.getLogger(__name__)

Observer = Callable[[Step], None]
"""A function that is called with every step of every fit, tile after tile."""

GRACE = 100
"""Number of first iterations in which the error of a fit may reach MAX_ERROR.

After them, a fit counts as diverged if its error exceeds about twice the variance of the image.
"""

LOG_EVERY = 10
"""Iterations between two messages about the progress of a fit."""

MAX_ERROR = 1.0
"""The largest mean squared error between two images in [0, 1]."""


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


class DeepImagePrior(Purifier):
    """A deep image prior: a network with random weights is fitted to each image and stopped early.

    The output is the result of an optimisation, so it has no gradient. Weights, network input and held-out pixels are
    drawn from the image's seed.
    """

    random = True

    def __init__(self, settings: FitSettings = DIP, *, stop: StoppingCriterion | None = None) -> None:
        """Choose the settings of the fits.

        Args:
            settings: the settings, such as :data:`dptools.purifiers.dip.PAPER`.
            stop: the stopping criterion, such as ``dptools.purifiers.dip.Fixed(500)``; None for that of the settings.
                The fit ends at ``settings.max_iterations`` in any case.

        Raises:
            TypeError: ``stop`` is not a stopping criterion.
        """
        super().__init__()
        self.settings = settings if stop is None else replace(settings, stop=stop)

    def extra_repr(self) -> str:
        return f"{self.settings}"

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        outputs = [
            self.restore(image, seed=seed).image for image, seed in zip(torch.split(images, 1), seeds, strict=True)
        ]
        return torch.cat(outputs).to(images.dtype)

    def restore(self, image: Tensor, *, seed: int | None = None, observe: Observer | None = None) -> Restoration:
        """Fit one image, and return the result with statistics of the fit.

        If the three channels of the image are equal, those of the result are equal too.

        Args:
            image: 1 x 3 x H x W in [0, 1], on the device to compute on.
            seed: seed of all random numbers; None to draw one from torch's global generator.
            observe: called with every step, also with those before a divergence.

        Raises:
            SampleError: the fit diverged twice.
            ValueError: the image has another shape or type, or values that are not finite.

        Example:
            >>> DeepImagePrior(FitSettings(stop=Fixed(2))).restore(torch.rand(1, 3, 32, 32), seed=1).iterations
            2
        """
        (restoration,) = restore_each(image, [self.settings], seed=seed, observe=observe)
        return _or_raise(restoration)


def restore_each(
    image: Tensor, settings: Sequence[FitSettings], *, seed: int | None = None, observe: Observer | None = None
) -> list[Restoration | None]:
    """Fit one image, and return a result for each of several stopping criteria.

    Criteria that hold out the same fraction of the pixels observe the same fit. Each result is that of a fit with this
    criterion alone.

    Args:
        image: 1 x 3 x H x W in [0, 1], on the device to compute on.
        settings: settings that differ in the stopping criterion and in the limit of iterations only.
        seed: seed of all random numbers; None to draw one from torch's global generator.
        observe: called with every step of each fit.

    Returns:
        One result for each criterion; None if the fit diverged twice before the criterion was met.

    Raises:
        ValueError: the image has another shape or type, or values that are not finite.
    """
    check_images(image)
    if len(image) != 1:
        raise ValueError(f"expected one image, 1 x 3 x H x W, got {tuple(image.shape)}")
    fits: list[list[Restoration | None]] = []

    height, width = image.shape[-2:]
    count = len(tiles(height, width, settings[0].tile or max(height, width)))

    def fit_tile(tile: Tensor, seeds: Sequence[int]) -> Tensor:
        log = _Log(observe, f"tile {len(fits) + 1} of {count}, " if count > 1 else "", settings)
        fits.append(fit_each(tile, settings, seed=seeds[0], observe=log))
        return tile

    chosen = draw_seeds(1)[0] if seed is None else seed
    with torch.inference_mode(False):  # the fit needs gradients, whatever the mode of the caller
        image = image.detach().clone()
        in_tiles(image.float(), settings[0].tile, fit_tile, chosen)
        return [_joined(image, settings[0].tile, list(results)) for results in zip(*fits, strict=True)]


class _Log:
    """An observer that logs the progress of a fit, and passes each step on."""

    def __init__(self, observe: Observer | None, where: str, settings: Sequence[FitSettings]) -> None:
        self.observe, self.where = observe, where
        self.limit = max(each.max_iterations for each in settings)

    def __call__(self, step: Step) -> None:
        if step.iteration % LOG_EVERY == 0:
            logger.info("%siteration %d of at most %d", self.where, step.iteration, self.limit)
        if self.observe:
            self.observe(step)


def _joined(image: Tensor, side: int, fits: list[Restoration | None]) -> Restoration | None:
    """Return the result of all tiles of an image; None if a tile has none."""
    done = [tile_fit for tile_fit in fits if tile_fit is not None]
    if len(done) < len(fits):
        return None
    outputs = iter(done)

    def next_tile(*_: object) -> Tensor:
        return next(outputs).image

    output = in_tiles(image.float(), side, next_tile, 0).clamp(0, 1)
    longest = max(done, key=lambda tile_fit: tile_fit.iterations)
    restarted = any(tile_fit.restarted for tile_fit in done)
    return replace(longest, image=grey_like(output, image), restarted=restarted, tiles=len(done))


def fit(image: Tensor, settings: FitSettings, *, seed: int, observe: Observer | None = None) -> Restoration:
    """Fit one image or tile until the stopping criterion is met; see :func:`fit_each`.

    Raises:
        SampleError: the fit diverged twice.
    """
    (restoration,) = fit_each(image, [settings], seed=seed, observe=observe)
    return _or_raise(restoration)


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
        limit = 2 * spread + 0.01 if step.iteration > GRACE else MAX_ERROR
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


def _or_raise(restoration: Restoration | None) -> Restoration:
    """Return the restoration.

    Raises:
        SampleError: there is none, because the fit diverged twice.
    """
    if restoration is None:
        raise SampleError("Diverged", "the fit diverged, even with a tenth of the learning rate")
    return restoration
