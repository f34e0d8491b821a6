"""A small network that mixes filters, pixel by pixel."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle

from dptools.purifiers.zero_shot.smoothers import BLUR_STDS, smoothed

FILTERS = 2 + len(BLUR_STDS)
"""Number of versions of the image that are mixed."""

DETAIL_SCALE = 4.0
"""Details are multiplied by this number, so that the network's input has a standard deviation of about 1/2."""

CORRECTION_SCALE = 0.1
"""Scale of the correction that is added to the mixture."""


class FilterMixture(nn.Module):
    """A network that outputs, for each pixel, a convex combination of filtered images, plus a small correction.

    With its initial weights, it returns the mean of the filtered images, which is already a denoised image. Training
    therefore needs few steps. The network computes at half the resolution, which is four times as fast.

    Args:
        width: number of channels.
        depth: number of 3 x 3 convolutions.
    """

    def __init__(self, width: int = 48, depth: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(depth):
            layers += [nn.Conv2d(width if index else 12 * FILTERS, width, 3, padding=1), nn.SiLU(inplace=True)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(width, 4 * (FILTERS + 3), 1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return denoised images of the same shape.

        Args:
            images: B x 3 x H x W, about in [0, 1].
        """
        height, width = images.shape[-2:]
        versions = smoothed(pad(images, [0, width % 2, 0, height % 2], mode="replicate"))
        details = [finer - coarser for finer, coarser in pairwise(versions)]
        inputs = pixel_unshuffle(torch.cat([*details, versions[-1] - 0.5], dim=1) * DETAIL_SCALE, 2)
        outputs = pixel_shuffle(self.head(self.body(inputs.contiguous(memory_format=torch.channels_last))), 2)
        shares = outputs[:, :FILTERS].softmax(1)
        mixture = sum(share * version for share, version in zip(torch.split(shares, 1, dim=1), versions, strict=True))
        mixed: Tensor = mixture + CORRECTION_SCALE * outputs[:, FILTERS:]
        return mixed[..., :height, :width]
