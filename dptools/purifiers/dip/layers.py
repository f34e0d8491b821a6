"""Upsampling that computes the same as PyTorch's, but faster on one core, if features are in channels-last layout.

With it and with pointwise convolutions as matrix products, a step takes 9 % less time with the paper's network, and 6 %
less with that of ``dip``.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


class Upsample(nn.Module):
    """Bilinear upsampling to twice the size. On a CPU, PyTorch's gradient is not in channels-last layout."""

    def forward(self, x: Tensor) -> Tensor:
        """Return features, B x C x 2H x 2W, of an input B x C x H x W."""
        if x.device.type != "cpu":
            return interpolate(x, scale_factor=2, mode="bilinear")
        return cast(Tensor, Double.apply(x))


class Double(torch.autograd.Function):
    """Bilinear upsampling to twice the size (align_corners=False): 3/4 of the nearest pixel, 1/4 of the next."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return _double(_double(x, 2), 3)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        return _halve(_halve(gradients[0], 3), 2)


def _double(x: Tensor, dim: int) -> Tensor:
    length = x.shape[dim]
    before = torch.cat([x.narrow(dim, 0, 1), x.narrow(dim, 0, length - 1)], dim)
    after = torch.cat([x.narrow(dim, 1, length - 1), x.narrow(dim, length - 1, 1)], dim)
    shape = list(x.shape)
    shape[dim] *= 2
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    index: list[slice] = [slice(None)] * 4
    for start, neighbour in ((0, before), (1, after)):
        index[dim] = slice(start, None, 2)
        out[tuple(index)] = torch.lerp(x, neighbour, 0.25)
    return out


def _halve(gradient: Tensor, dim: int) -> Tensor:
    """Return the adjoint of :func:`_double`."""
    index: list[slice] = [slice(None)] * 4
    index[dim] = slice(0, None, 2)
    even = gradient[tuple(index)]
    index[dim] = slice(1, None, 2)
    odd = gradient[tuple(index)]
    length = even.shape[dim]
    out = (even + odd).mul_(0.75).contiguous(memory_format=torch.channels_last)
    out.narrow(dim, 0, length - 1).add_(even.narrow(dim, 1, length - 1), alpha=0.25)
    out.narrow(dim, 1, length - 1).add_(odd.narrow(dim, 0, length - 1), alpha=0.25)
    out.narrow(dim, 0, 1).add_(even.narrow(dim, 0, 1), alpha=0.25)
    out.narrow(dim, length - 1, 1).add_(odd.narrow(dim, length - 1, 1), alpha=0.25)
    return out
