"""Zero-shot purification as a purifier."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad, pixel_unshuffle

from dptools.purifiers.contrast import stretched
from dptools.purifiers.precision import autocast
from dptools.purifiers.purifier import Purifier, grey_like
from dptools.purifiers.random_weights import with_random_weights
from dptools.purifiers.sign_step import sign_steps
from dptools.purifiers.texture import noise_level, without_impulses
from dptools.purifiers.tiling import in_tiles
from dptools.purifiers.zero_shot.contrast import restore_contrast
from dptools.purifiers.zero_shot.network import FilterMixture
from dptools.purifiers.zero_shot.settings import ZERO_SHOT, ZeroShotSettings

NEIGHBOURS = ((0, 1), (0, 2), (1, 3), (2, 3), (1, 0), (2, 0), (3, 1), (3, 2))
"""Pairs of neighbouring pixels in a cell of 2 x 2 pixels, numbered row by row."""

WARM_UP = 5
"""Number of first steps in which the learning rate rises."""

FINAL_RATE = 0.02
"""Learning rate at the end, divided by the largest one. It falls along a cosine."""

SMOOTH_L1 = 0.01
"""Differences below this value count quadratically, larger ones linearly. Impulse noise then has little influence."""


class ZeroShot(Purifier):
    """A network with random weights, trained for each image on this image alone, without other data.

    As in Neighbor2Neighbor (arXiv 2101.02824) and ZS-N2N (arXiv 2303.11253), the network learns to predict one of two
    neighbouring pixels from the other: their noise is independent, so it cannot be predicted. Here, Gaussian noise is
    added to the input, which also masks perturbations that are weak but not independent, as those of gradient-based
    attacks. The network mixes filters (:class:`FilterMixture`), so that it needs few steps.

    The output is the result of an optimisation, so it has no gradient.
    """

    random = True

    def __init__(self, settings: ZeroShotSettings = ZERO_SHOT) -> None:
        super().__init__()
        self.settings = settings

    def extra_repr(self) -> str:
        return f"{self.settings}"

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        pairs = zip(torch.split(images, 1), seeds, strict=True)
        return torch.cat([self._purify(image, seed) for image, seed in pairs]).to(images.dtype)

    def _purify(self, image: Tensor, seed: int) -> Tensor:
        """Return one purified image, 1 x 3 x H x W in [0, 1]."""
        with torch.inference_mode(False):  # training needs gradients, whatever the mode of the caller
            image = stretched(image.detach().float().clone())
            generator = torch.Generator().manual_seed(seed)
            network = self._train(image, generator)
            with torch.no_grad():
                output = self._output(image, network, generator)
                return grey_like(output.clamp(0, 1), image)

    def _output(self, image: Tensor, network: FilterMixture, generator: torch.Generator) -> Tensor:
        """Return the image, denoised by the trained network."""

        def denoise(noisy: Tensor, *_: object) -> Tensor:
            return in_tiles(noisy, self.settings.tile, lambda tile, _: self._mean(network, tile, generator), 0)

        settings, first = self.settings, denoise(image)
        removed = image - first
        level = float(noise_level(removed))
        ((output, _),) = sign_steps(image, first, [level], settings.sign_steps, denoise)
        if output is not None:
            return output
        texture = settings.share * without_impulses(removed) if level >= settings.strong else 0
        return restore_contrast(first + texture, image)

    def _train(self, image: Tensor, generator: torch.Generator) -> FilterMixture:
        """Return a network that was trained to remove noise from the image."""
        settings = self.settings
        network = with_random_weights(FilterMixture, generator.initial_seed())
        network = network.to(image.device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        for step in range(settings.iterations):
            cosine = (1 + math.cos(math.pi * step / settings.iterations)) / 2
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * min(1, (step + 1) / WARM_UP) * max(FINAL_RATE, cosine)
            inputs, targets = neighbours(_window(image, settings.window, generator), generator)
            with torch.enable_grad():
                with autocast(image.device, settings.precision):
                    outputs = network(self._noisy(inputs, generator))
                difference = outputs.float() - targets
                loss = (difference.square() + SMOOTH_L1**2).sqrt().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return network

    def _mean(self, network: FilterMixture, image: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean output of several passes, each with fresh noise."""
        total = torch.zeros_like(image)
        for _ in range(self.settings.passes):
            with autocast(image.device, self.settings.precision):
                output = network(self._noisy(image, generator))
            total += output.float()
        return total / self.settings.passes

    def _noisy(self, images: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(images.shape, generator=generator).to(images.device)
        return images + self.settings.noise_std * noise


def neighbours(image: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return two images of half the size, made of neighbouring pixels.

    Args:
        image: 1 x 3 x H x W.
        generator: draws a pair of neighbours in each cell of 2 x 2 pixels.
    """
    height, width = image.shape[-2:]
    cells = pixel_unshuffle(pad(image, [0, width % 2, 0, height % 2], mode="replicate"), 2)
    cells = cells.view(1, 3, 4, *cells.shape[-2:])
    pairs = torch.tensor(NEIGHBOURS, device=image.device)
    chosen = torch.randint(len(NEIGHBOURS), cells.shape[-2:], generator=generator).to(image.device)
    first, second = pairs[chosen].expand(1, 3, 1, *cells.shape[-2:], 2).unbind(-1)
    return cells.gather(2, first)[:, :, 0], cells.gather(2, second)[:, :, 0]


def _window(image: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return a random part of the image, at most side x side pixels."""
    height, width = (min(length, side) for length in image.shape[-2:])
    spare = (image.shape[-2] - height, image.shape[-1] - width)
    top, left = (int(torch.randint(length + 1, (), generator=generator)) for length in spare)
    return image[..., top : top + height, left : left + width]
