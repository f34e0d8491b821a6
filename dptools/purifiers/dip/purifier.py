"""The deep image prior as a purifier, with tiles."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dptools.purifiers.dip.fit import Observer, Restoration, fit_each, result_or_error
from dptools.purifiers.dip.settings import DIP, FitSettings
from dptools.purifiers.dip.step import Step
from dptools.purifiers.dip.stopping import StoppingCriterion
from dptools.purifiers.purifier import Purifier, check_images, draw_seeds, grey_like
from dptools.purifiers.tiling import blended, tiles

logger = logging.getLogger(__name__)

LOG_EVERY = 10
"""Iterations between two messages about the progress of a fit."""


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
        return result_or_error(restoration)


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
    height, width = image.shape[-2:]
    parts = tiles(height, width, settings[0].tile)
    chosen = draw_seeds(1)[0] if seed is None else seed
    fits: list[list[Restoration | None]] = []
    with torch.inference_mode(False):  # the fit needs gradients, whatever the mode of the caller
        image = image.detach().clone()
        for number, part in enumerate(parts):
            log = _Log(observe, f"tile {number + 1} of {len(parts)}, " if len(parts) > 1 else "", settings)
            fits.append(fit_each(part.of(image.float()), settings, seed=chosen + number, observe=log))
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
    output = blended(image.float(), side, (tile_fit.image for tile_fit in done)).clamp(0, 1)
    longest = max(done, key=lambda tile_fit: tile_fit.iterations)
    restarted = any(tile_fit.restarted for tile_fit in done)
    return replace(longest, image=grey_like(output, image), restarted=restarted, tiles=len(done))
