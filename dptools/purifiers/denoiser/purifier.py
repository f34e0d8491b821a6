"""The denoiser as a purifier."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pad

from dptools.purifiers.contrast import stretched
from dptools.purifiers.denoiser.int8 import Int8Network
from dptools.purifiers.denoiser.network import SIZE_DIVISOR
from dptools.purifiers.denoiser.settings import DENOISER, DenoiserSettings
from dptools.purifiers.denoiser.weights import pretrained
from dptools.purifiers.precision import autocast
from dptools.purifiers.purifier import Purifier, grey_like, needs_gradient
from dptools.purifiers.sign_step import sign_steps
from dptools.purifiers.texture import noise_level, without_impulses
from dptools.purifiers.tiling import in_tiles

GPU_BATCH = 128
"""Largest batch of tiles on a GPU. Larger batches are no faster."""

PASS_SEED = 0x9E3779B9
"""The seed of pass k is the image's seed XOR k times this number, so that all passes have different noise.

PyTorch's CPU generator uses only the low 32 bits of a seed, so the low 32 bits of the products must differ.
"""


@dataclass(frozen=True)
class Denoised:
    """A denoised image.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        noise_level: robust standard deviation of what the first pass removed, on the [0, 1] scale.
        passes: number of passes through the network.
    """

    image: Tensor
    noise_level: float
    passes: int


class Denoiser(Purifier):
    """A pretrained network that removes noise in one or several passes, as many as the perturbation requires.

    The first pass adds Gaussian noise, which masks a faint perturbation; the network removes both. See
    :data:`dptools.purifiers.denoiser.settings.DENOISER` for the steps.

    Gradients flow through the network. They are exact for the noise that was drawn. Where the network computes in 8-bit
    integers, input that requires a gradient is denoised in fp32.
    """

    differentiable = True

    def __init__(self, settings: DenoiserSettings = DENOISER) -> None:
        super().__init__()
        self.settings = settings
        self.network = pretrained(settings.weights)
        self._int8 = Int8Network(settings.weights)

    @property
    def random(self) -> bool:  # type: ignore[override]
        return self.settings.noise_std > 0

    def extra_repr(self) -> str:
        return f"{self.settings}"

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        settings = self.settings
        if not settings.sign_steps.steps and settings.strong == math.inf:  # what a pass removes decides nothing
            groups = [(self._pass(*group, 0), group[0]) for group in self._groups(images, seeds)]
            pairs = [pair for outputs, inputs in groups for pair in zip(outputs[:, None], inputs[:, None], strict=True)]
            return torch.cat([grey_like(*pair) for pair in pairs]).to(images.dtype)
        return torch.cat([done.image for done in self.denoise(images, seeds)]).to(images.dtype)

    def denoise(self, images: Tensor, seeds: Sequence[int]) -> list[Denoised]:
        """Denoise images, and return the results with their noise levels.

        Args:
            images: B x 3 x H x W, floating point, about in [0, 1].
            seeds: one seed per image.
        """
        images = stretched(images, self.settings.narrow)
        return [done for group in self._groups(images, seeds) for done in self._denoise(*group)]

    def _groups(self, images: Tensor, seeds: Sequence[int]) -> list[tuple[Tensor, Sequence[int]]]:
        """Return images, in the network's number format, and seeds in groups that are denoised together.

        On a CPU, images are denoised one by one, so an output does not depend on the number of images in the batch.
        """
        images, size = images.to(self.network.head.weight.dtype), len(images) if images.is_cuda else 1
        parts = [slice(start, start + size) for start in range(0, len(images), size)]
        return [(images[part], seeds[part]) for part in parts]

    def _denoise(self, images: Tensor, seeds: Sequence[int]) -> list[Denoised]:
        settings = self.settings
        first = self._pass(images, seeds, 0)
        removed = (images - first).detach()
        levels = [float(noise_level(part)) for part in removed]
        dense = sign_steps(images, first, levels, settings.sign_steps, partial(self._step, seeds))
        done = [
            Denoised(output if result is None else result, level, 1 + passes)
            for output, level, (result, passes) in zip(torch.split(first, 1), levels, dense, strict=True)
        ]
        stds = removed.flatten(1).std(1).tolist()
        strong = [index for index, std in enumerate(stds) if std >= settings.strong and dense[index][0] is None]
        if strong:
            outputs = self._pass(images[strong], [seeds[index] for index in strong], None)
            for index, output in zip(strong, torch.split(outputs, 1), strict=True):
                textured = output + settings.share * without_impulses(images[index : index + 1] - output)
                done[index] = replace(done[index], image=textured.clamp(0, 1), passes=done[index].passes + 1)
        return [
            replace(result, image=grey_like(result.image, image))
            for image, result in zip(torch.split(images, 1), done, strict=True)
        ]

    def _step(self, seeds: Sequence[int], images: Tensor, indices: Sequence[int], last: bool) -> Tensor:
        """Return the outputs of the pass that follows a sign step. Only the last one adds noise."""
        return self._pass(images, [seeds[index] for index in indices], 1 if last else None)

    def _pass(self, images: Tensor, seeds: Sequence[int], number: int | None) -> Tensor:
        """Return the outputs of one pass, limited to [0, 1].

        Args:
            images: B x 3 x H x W of any size.
            seeds: one seed per image.
            number: number of the pass, from 0, which determines the noise; None to add no noise.
        """
        own = [seed ^ (number or 0) * PASS_SEED for seed in seeds]
        noise_std = 0.0 if number is None else self.settings.noise_std

        def run(parts: Tensor, part_seeds: Sequence[int]) -> Tensor:
            return self._run(parts, part_seeds, noise_std)

        if max(images.shape[-2:]) <= (self.settings.tile or math.inf):
            parts = [slice(start, start + GPU_BATCH) for start in range(0, len(images), GPU_BATCH)]
            return torch.cat([run(images[part], own[part]) for part in parts]).clamp(0, 1)
        batch = GPU_BATCH if images.is_cuda else 1
        tiled = [
            in_tiles(image, self.settings.tile, run, seed, batch)
            for image, seed in zip(torch.split(images, 1), own, strict=True)
        ]
        return torch.cat(tiled).clamp(0, 1)

    def _run(self, images: Tensor, seeds: Sequence[int], noise_std: float) -> Tensor:
        height, width = images.shape[-2:]
        padded = _padded(images).contiguous(memory_format=torch.channels_last)
        if noise_std:
            shape = (1, *padded.shape[1:])
            noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
            padded = padded + noise_std * torch.cat(noise).to(padded)
        return self._compute(padded).to(images.dtype)[..., :height, :width]

    def _compute(self, images: Tensor) -> Tensor:
        """Return the network's outputs: in 8-bit integers if the settings ask for them, and no gradient is needed."""
        if self.settings.number_format(images.device) == "int8" and not needs_gradient(images):
            return self._int8(images)
        with autocast(images.device, self.settings.precision):
            output: Tensor = self.network(images)
        return output


def _padded(images: Tensor) -> Tensor:
    """Return the images, padded at the right and the bottom.

    The new sides are multiples of SIZE_DIVISOR, and at least 2 * SIZE_DIVISOR.
    """
    height, width = images.shape[-2:]
    right, below = (max(2, math.ceil(side / SIZE_DIVISOR)) * SIZE_DIVISOR - side for side in (width, height))
    return pad(images, (0, right, 0, below), mode="replicate")
