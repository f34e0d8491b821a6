"""The denoising network."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle

WIDTHS = (32, 64, 128)
"""Channels at 1/2, 1/4 and 1/8 of the image's resolution."""

BORDER = 8
"""Pixels of border that are added on each side, so that the zero padding of the convolutions affects the image less."""

SIZE_DIVISOR = 2 ** len(WIDTHS)
"""Image sides must be multiples of this."""


class DenoiserUNet(nn.Module):
    """A blind residual U-Net: it predicts the negative noise of an image and adds it.

    The blocks are those of DRUNet (Zhang et al., arXiv 2008.13751) with fewer channels, at half resolution (pixel
    shuffle, arXiv 1609.05158). At the lowest resolution, channel attention over the whole image (arXiv 1709.01507)
    adapts the network to the kind and the strength of the noise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(12, WIDTHS[0], 3, padding=1)
        self.body = _level(*WIDTHS)
        self.tail = nn.Conv2d(WIDTHS[0], 12, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return denoised images of the same shape.

        Args:
            images: B x 3 x H x W, about in [0, 1]; the sides are multiples of SIZE_DIVISOR.
        """
        halved = pixel_unshuffle(pad(images, [BORDER] * 4, mode="replicate") - 0.5, 2)
        change = self.tail(self.body(self.head(halved.contiguous(memory_format=torch.channels_last))))
        return images + pixel_shuffle(change, 2)[..., BORDER:-BORDER, BORDER:-BORDER]


class _ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)  # the block starts as the identity, which stabilises training
        nn.init.zeros_(cast(Tensor, self.second.bias))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.second(self.first(x).relu_())
        return changed


class _ChannelAttention(nn.Module):
    """Scale and shift each channel by a function of the means and mean magnitudes of all channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2 * width, width), nn.Linear(width, 2 * width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        statistics = torch.cat([x.mean((2, 3)), x.abs().mean((2, 3))], dim=1)
        scale, shift = self.second(self.first(statistics).relu()).chunk(2, dim=1)
        changed: Tensor = x * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        return changed


class _Level(nn.Module):
    """One level of the U-Net: two blocks before the lower resolutions, and two after them."""

    def __init__(self, width: int, below: int, inner: nn.Module) -> None:
        super().__init__()
        self.into, self.out = (nn.Sequential(_ResidualBlock(width), _ResidualBlock(width)) for _ in range(2))
        self.down, self.up = nn.Conv2d(width, below, 2, 2), nn.ConvTranspose2d(below, width, 2, 2)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        merged: Tensor = self.out(x + self.up(self.inner(self.down(x))))
        return merged


def _level(width: int, *below: int) -> nn.Module:
    if below:
        return _Level(width, below[0], _level(*below))
    blocks = [_ResidualBlock(width) for _ in range(4)]
    return nn.Sequential(blocks[0], _ChannelAttention(width), blocks[1], blocks[2], _ChannelAttention(width), blocks[3])
