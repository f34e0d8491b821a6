"""Untrained networks, whose shape alone is the prior."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dptools.purifiers.dip.network import Network

Padding = Literal["zeros", "reflect"]


class Hourglass(Network):
    """A network whose code is noise, drawn once.

    Attributes:
        code_depth: channels of the code.
        code_scale: the code is drawn from U(0, code_scale).
        shrink: image size over code size.
    """

    def __init__(self, body: nn.Module, *, code_depth: int, code_scale: float, shrink: int, multiple: int) -> None:
        super().__init__()
        self.body = body
        self.code_depth, self.code_scale, self.shrink, self.multiple = code_depth, code_scale, shrink, multiple

    def forward(self, code: Tensor) -> Tensor:
        """Images B x 3 x H x W in (0, 1) of a code B x code_depth x H/shrink x W/shrink."""
        images: Tensor = self.body(code).sigmoid()
        return images

    def code(self, guide: Tensor, generator: torch.Generator) -> Tensor:
        """A random code for an image of this size."""
        height, width = guide.shape[-2:]
        shape = (1, self.code_depth, height // self.shrink, width // self.shrink)
        return torch.rand(shape, generator=generator) * self.code_scale


class _Scale(nn.Module):
    """One level of the hourglass: a way down to half the size and back up, beside a thin skip."""

    def __init__(self, below: int, width: int, skip: int, inner: nn.Module, inner_width: int, pad: Padding) -> None:
        super().__init__()
        self.skip = _convolve(below, skip, 1, pad)
        self.down = nn.Sequential(_convolve(below, width, 3, pad, stride=2), _convolve(width, width, 3, pad))
        self.inner = inner
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        joined = skip + inner_width
        self.merge = nn.Sequential(
            _normalise(joined), _convolve(joined, width, 3, pad), _convolve(width, width, 1, pad)
        )

    def forward(self, x: Tensor) -> Tensor:  # B x below x H x W -> B x width x H x W
        deep = self.up(self.inner(self.down(x)))
        merged: Tensor = self.merge(torch.cat([self.skip(x), deep], dim=1))
        return merged


def _convolve(below: int, width: int, kernel: int, pad: Padding, stride: int = 1) -> nn.Sequential:
    # No bias: the BatchNorm that follows would take it off again.
    convolution = nn.Conv2d(below, width, kernel, stride, kernel // 2, bias=False, padding_mode=pad)
    return nn.Sequential(convolution, _normalise(width), nn.SiLU(inplace=True))


def _normalise(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, track_running_stats=False)  # a network sees one image, and its statistics are those


def hourglass(
    widths: Sequence[int], *, skip: int = 4, code_depth: int = 32, shuffle: int = 1, pad: Padding = "zeros"
) -> Hourglass:
    """An hourglass with skips.

    Args:
        widths: channels of each scale, from the largest.
        skip: channels of the skip at each scale.
        code_depth: channels of the input.
        shuffle: work at 1/shuffle of the image's size, and interleave the last channels (arXiv 1609.05158).
        pad: padding of the convolutions, as in torch.
    """
    inner: nn.Module = nn.Identity()
    inner_width = widths[-1]
    for index in reversed(range(len(widths))):
        below = widths[index - 1] if index else code_depth
        inner = _Scale(below, widths[index], skip, inner, inner_width, pad)
        inner_width = widths[index]
    body = nn.Sequential(inner, nn.Conv2d(widths[0], 3 * shuffle**2, 1), nn.PixelShuffle(shuffle))
    return Hourglass(body, code_depth=code_depth, code_scale=0.1, shrink=shuffle, multiple=shuffle * 2 ** len(widths))


def paper() -> Network:
    """The hourglass of the deep image prior's denoising experiments (arXiv 1711.10925), with Swish for LeakyReLU
    (arXiv 1710.05941) as in the Deep Protection paper: five scales of 128 channels, skips of 4, reflected borders."""
    return hourglass((128,) * 5, pad="reflect")


def small() -> Network:
    """A quarter of the work at the first scale: half resolution, pixel shuffle; some ten times as fast a step."""
    return hourglass((32, 64, 128, 128), shuffle=2)


def decoder(width: int = 64, scales: int = 5) -> Network:
    """The deep decoder (Heckel and Hand, arXiv 1810.03982): no convolution looks at a neighbour, only upsampling does.

    It has fewer parameters than the image has values, so it cannot fit noise for long.
    """
    layers: list[nn.Module] = []
    for _ in range(scales):
        layers += [nn.Conv2d(width, width, 1, bias=False), nn.Upsample(scale_factor=2, mode="bilinear")]
        layers += [nn.ReLU(inplace=True), _normalise(width)]
    body = nn.Sequential(*layers, nn.Conv2d(width, 3, 1))
    return Hourglass(body, code_depth=width, code_scale=0.1, shrink=2**scales, multiple=2**scales)
