"""Noise and denoising, as a purifier: one draw of randomised smoothing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dptools.purifiers import Purifier

OTHER_STREAM = 0x5851F42D
"""Separates the seeds of the purifier from those of the noise: with the same seed, both would draw the same numbers."""


class NoisyPurifier(Purifier):
    """Add Gaussian noise, then purify. The vote of a classifier over many draws is the smoothed classifier.

    Gradients flow through it if they flow through the purifier, so attacks can aim at a smoothed classifier.

    Attributes:
        sigma: Standard deviation of the noise, on the [0, 1] scale. The noisy image is not clipped.
        purifier: The purifier; None for none.
    """

    random = True

    def __init__(self, sigma: float, purifier: Purifier | None = None) -> None:
        super().__init__()
        self.sigma, self.purifier = sigma, purifier

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        return self.purifier is None or self.purifier.differentiable

    def extra_repr(self) -> str:
        return f"sigma={self.sigma:g}"

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        shape = (1, *images.shape[1:])
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        noisy = images + self.sigma * torch.cat(noise).to(images)
        if self.purifier is None:
            return noisy
        purified: Tensor = self.purifier(noisy, seeds=[seed ^ OTHER_STREAM for seed in seeds])
        return purified
