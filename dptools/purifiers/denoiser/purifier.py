"""The denoiser as a purifier."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from dptools.purifiers.denoiser.network import SIZE_DIVISOR
from dptools.purifiers.denoiser.settings import DENOISER, DenoiserSettings
from dptools.purifiers.denoiser.weights import pretrained
from dptools.purifiers.precision import autocast
from dptools.purifiers.purifier import Purifier, grey_like
from dptools.purifiers.tiling import in_tiles

GPU_BATCH = 128
"""Batch size on a GPU. Each pass over an image is one input of the batch. Larger batches are no faster."""

TEXTURE_SEED = 0x9E3779B9
"""XORed with an image's seed, so that the grain of the texture is independent of the noise of the passes.

PyTorch's CPU generator uses only the low 32 bits of a seed, so the low 32 bits of the constant must not all be 0.
"""


class Denoiser(Purifier):
    """The mean of a pretrained network's outputs over several noisy passes, with texture added.

    Each pass adds fresh Gaussian noise, which masks the perturbation; the network removes both. The mean is a Monte
    Carlo estimate of a smoothed denoiser (compare Cohen et al., arXiv 1902.02918). More passes lower its variance.

    Gradients flow through the network. They are exact for the noise that was drawn.
    """

    differentiable = True

    def __init__(self, settings: DenoiserSettings = DENOISER) -> None:
        super().__init__()
        self.settings = settings
        self.network = pretrained()

    @property
    def random(self) -> bool:  # type: ignore[override]
        return self.settings.noise_std > 0 or self.settings.texture is not None

    def extra_repr(self) -> str:
        return f"{self.settings}"

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        dtype, images = images.dtype, images.to(self.network.head.weight.dtype)
        tile = self.settings.tile or math.inf
        if max(images.shape[-2:]) <= tile and (images.is_cuda or len(images) == 1):
            means = self._mean(images, seeds)
        else:
            # Large images are tiled. On a CPU, images are denoised one by one, so an output does not depend on the
            # number of images in the batch.
            batch = max(1, GPU_BATCH // self.settings.passes) if images.is_cuda else 1
            parts = zip(torch.split(images, 1), seeds, strict=True)
            means = torch.cat([in_tiles(image, self.settings.tile, self._mean, seed, batch) for image, seed in parts])
        finished = []
        for image, mean, seed in zip(torch.split(images, 1), torch.split(means, 1), seeds, strict=True):
            finished.append(self._finish(image, mean, seed))
        return torch.cat(finished).to(dtype)

    def _mean(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return the mean output over all passes, for images B x 3 x H x W of any size."""
        height, width = images.shape[-2:]
        padded = _padded(images).contiguous(memory_format=torch.channels_last)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        mean = torch.zeros_like(images)
        at_once = max(1, GPU_BATCH // len(images)) if images.is_cuda else 1
        for first in range(1, self.settings.passes + 1, at_once):
            numbers = range(first, min(first + at_once, self.settings.passes + 1))
            noisy = torch.cat([self._noisy(padded, generators) for _ in numbers])
            with autocast(images.device, self.settings.precision):
                outputs = self.network(noisy)
            outputs = outputs.to(images.dtype)[..., :height, :width]
            for number, output in zip(numbers, torch.split(outputs, len(images)), strict=True):
                mean = torch.lerp(output, mean, 1 - 1 / number)
        return mean

    def _noisy(self, padded: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        if not self.settings.noise_std:
            return padded
        shape = (1, *padded.shape[1:])
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        return padded + self.settings.noise_std * noise.to(padded)

    def _finish(self, image: Tensor, mean: Tensor, seed: int) -> Tensor:
        output = mean.clamp(0, 1)
        if texture := self.settings.texture:
            generator = torch.Generator().manual_seed(seed ^ TEXTURE_SEED)
            output = texture.add(image, output, generator).clamp(0, 1)
        return grey_like(output, image)


def _padded(images: Tensor) -> Tensor:
    """Return the images, padded at the right and the bottom.

    The new sides are multiples of SIZE_DIVISOR, and at least 2 * SIZE_DIVISOR.
    """
    height, width = images.shape[-2:]
    right, below = (max(2, math.ceil(side / SIZE_DIVISOR)) * SIZE_DIVISOR - side for side in (width, height))
    return pad(images, (0, right, 0, below), mode="replicate")
