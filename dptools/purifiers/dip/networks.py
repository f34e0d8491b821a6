"""Untrained networks, whose architecture alone is the prior."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dptools.layers import Pointwise
from dptools.purifiers.dip.layers import Upsample
from dptools.purifiers.random_weights import with_random_weights

Padding = Literal["zeros", "reflect"]


class PriorNetwork(nn.Module):
    """A network that generates an image from a fixed random input z.

    Attributes:
        size_divisor: image sides must be multiples of this.
        input_depth: channels of z.
        input_scale: z is drawn from U(0, input_scale).
        shrink: image side divided by the side of z.
    """

    def __init__(
        self, body: nn.Sequential, *, input_depth: int, input_scale: float, shrink: int, size_divisor: int
    ) -> None:
        super().__init__()
        self.body = body
        self.input_depth, self.input_scale = input_depth, input_scale
        self.shrink, self.size_divisor = shrink, size_divisor

    def forward(self, z: Tensor) -> Tensor:
        """Return images B x 3 x H x W in (0, 1).

        Args:
            z: B x input_depth x H/shrink x W/shrink.
        """
        images: Tensor = self.body(z).sigmoid()
        return images

    def draw_input(self, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Return z for an image of this size, 1 x input_depth x H/shrink x W/shrink."""
        shape = (1, self.input_depth, height // self.shrink, width // self.shrink)
        return torch.rand(shape, generator=generator) * self.input_scale


class Scale(nn.Module):
    """One scale of the hourglass: downsampling, the smaller scales and upsampling, beside a narrow skip connection."""

    def __init__(
        self, in_channels: int, channels: int, skip: int, inner: nn.Module, inner_channels: int, pad: Padding
    ) -> None:
        super().__init__()
        self.skip = _convolution(in_channels, skip, 1, pad)
        self.down = nn.Sequential(
            _convolution(in_channels, channels, 3, pad, stride=2), _convolution(channels, channels, 3, pad)
        )
        self.inner = inner
        self.up = Upsample()
        joined = skip + inner_channels
        self.merge = nn.Sequential(
            _normalisation(joined), _convolution(joined, channels, 3, pad), _convolution(channels, channels, 1, pad)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features, B x width x H x W, of an input B x in_channels x H x W."""
        deep = self.up(self.inner(self.down(x)))
        merged: Tensor = self.merge(torch.cat([self.skip(x), deep], dim=1))
        return merged


def _convolution(in_channels: int, width: int, kernel: int, pad: Padding, stride: int = 1) -> nn.Sequential:
    # No bias: the batch normalisation that follows would remove it.
    if kernel == 1:
        convolution: nn.Conv2d = Pointwise(in_channels, width, bias=False)
    else:
        convolution = nn.Conv2d(in_channels, width, kernel, stride, kernel // 2, bias=False, padding_mode=pad)
    return nn.Sequential(convolution, _normalisation(width), nn.SiLU(inplace=True))


def _normalisation(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, track_running_stats=False)  # each network is fitted to one image only


def hourglass(
    widths: Sequence[int], *, skip: int = 4, input_depth: int = 32, shuffle: int = 1, pad: Padding = "zeros"
) -> PriorNetwork:
    """Return an hourglass with skip connections.

    Args:
        widths: channels of each scale, from the largest scale to the smallest.
        skip: channels of the skip connection at each scale.
        input_depth: channels of z.
        shuffle: compute at 1/shuffle of the image's resolution, and end with a pixel shuffle (arXiv 1609.05158).
        pad: padding of the convolutions, as in torch.
    """
    inner: nn.Module = nn.Identity()
    inner_width = widths[-1]
    for index in reversed(range(len(widths))):
        in_channels = widths[index - 1] if index else input_depth
        inner = Scale(in_channels, widths[index], skip, inner, inner_width, pad)
        inner_width = widths[index]
    body = nn.Sequential(inner, Pointwise(widths[0], 3 * shuffle**2), nn.PixelShuffle(shuffle))
    divisor = shuffle * 2 ** len(widths)
    return PriorNetwork(body, input_depth=input_depth, input_scale=0.1, shrink=shuffle, size_divisor=divisor)


def paper() -> PriorNetwork:
    """Return the hourglass of the deep image prior's denoising experiments (arXiv 1711.10925).

    It has five scales of 128 channels, skips of 4 and reflection padding. As in the Deep Protection paper, Swish (arXiv
    1710.05941) replaces LeakyReLU.
    """
    return hourglass((128,) * 5, pad="reflect")


def small() -> PriorNetwork:
    """Return an hourglass at half resolution with fewer channels. A step is about ten times as fast as the paper's."""
    return hourglass((32, 64, 128, 128), shuffle=2)


def decoder(width: int = 64, scales: int = 5) -> PriorNetwork:
    """Return the deep decoder (Heckel and Hand, arXiv 1810.03982).

    It has fewer parameters than the image has values, and only upsampling combines neighbouring pixels. It therefore
    fits noise slowly.
    """
    layers: list[nn.Module] = []
    for _ in range(scales):
        layers += [Pointwise(width, width, bias=False), Upsample()]
        layers += [nn.ReLU(inplace=True), _normalisation(width)]
    body = nn.Sequential(*layers, Pointwise(width, 3))
    return PriorNetwork(body, input_depth=width, input_scale=0.1, shrink=2**scales, size_divisor=2**scales)


FACTORIES: dict[str, Callable[[], PriorNetwork]] = {"small": small, "paper": paper, "decoder": decoder}
"""The networks by the names in :data:`dptools.purifiers.dip.settings.NETWORKS`."""


def random_network(name: str, seed: int) -> PriorNetwork:
    """Return a network of this name, with random weights from a seed."""
    return with_random_weights(FACTORIES[name], seed)
