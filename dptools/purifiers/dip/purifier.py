"""The deep image prior as a purifier: early stopping, tiles, and a restart after divergence."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.purifiers.dip.loop import steps
from dptools.purifiers.dip.settings import DIP, FitSettings
from dptools.purifiers.dip.step import Step
from dptools.purifiers.purifier import Purifier, check_images, draw_seeds, grey_like
from dptools.purifiers.tiling import in_tiles

Observer = Callable[[Step], None]
"""A function that is called with every step of every fit, tile after tile."""

GRACE = 100
"""Number of first iterations in which the error of a fit may reach MAX_ERROR.

After them, a fit counts as diverged if its error exceeds about twice the variance of the image.
"""

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

    image: Tensor
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

    def __init__(self, settings: FitSettings = DIP) -> None:
        super().__init__()
        self.settings = settings

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
        check_images(image)
        if len(image) != 1:
            raise ValueError(f"expected one image, 1 x 3 x H x W, got {tuple(image.shape)}")
        fits: list[Restoration] = []

        def fit_tile(tile: Tensor, seeds: Sequence[int]) -> Tensor:
            fits.append(fit(tile, self.settings, seed=seeds[0], observe=observe))
            return fits[-1].image

        chosen = draw_seeds(1)[0] if seed is None else seed
        with torch.inference_mode(False):  # the fit needs gradients, whatever the mode of the caller
            image = image.detach().clone()
            output = in_tiles(image.float(), self.settings.tile, fit_tile, chosen).clamp(0, 1)
        longest = max(fits, key=lambda tile_fit: tile_fit.iterations)
        restarted = any(tile_fit.restarted for tile_fit in fits)
        return replace(longest, image=grey_like(output, image), restarted=restarted, tiles=len(fits))


def fit(image: Tensor, settings: FitSettings, *, seed: int, observe: Observer | None = None) -> Restoration:
    """Fit one image or tile until the stopping criterion is met.

    A fit that diverges is repeated with a tenth of the learning rate.

    Raises:
        SampleError: the fit diverged twice.
    """
    if restoration := _fit(image, settings, seed, observe):
        return restoration
    slower = replace(settings, learning_rate=settings.learning_rate / 10)
    if restoration := _fit(image, slower, seed, observe):
        return replace(restoration, restarted=True)
    raise SampleError("Diverged", "the fit diverged, even with a tenth of the learning rate")


def _fit(image: Tensor, settings: FitSettings, seed: int, observe: Observer | None) -> Restoration | None:
    """Return the restoration at the best step; None if the fit diverges."""
    decide, best = settings.stop.start(), None
    spread = image.var(dim=(-2, -1)).mean().item() if image[0, 0].numel() > 1 else 0.0
    for step in steps(image, settings, seed=seed):
        limit = 2 * spread + 0.01 if step.iteration > GRACE else MAX_ERROR
        if not math.isfinite(step.loss) or step.error > limit:
            return None
        if observe:
            observe(step)
        decision = decide(step)
        best = step if decision.keep or best is None else best
        last = step.iteration >= settings.max_iterations
        if reason := decision.stop or ("iteration limit reached" if last else None):
            return Restoration(best.average, best.iteration, step.iteration, reason)
    raise AssertionError("steps() never ends")
