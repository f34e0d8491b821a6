"""The hourglass in channels-last layout: the same function of the same parameters, but faster on a GPU.

PyTorch's reflection padding and bilinear upsampling either return a different memory layout, or use atomic additions
in the backward pass. Convolutions of 132 channels do not use tensor cores. This module avoids both. On an H100, with
eight fits side by side, a step of the paper's network takes 1.5 ms per image instead of 3.0 ms. Only ``cuda_graph.py``
in this folder uses it.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, pad, silu

from dptools.purifiers.dip.layers import Double
from dptools.purifiers.dip.networks import PriorNetwork, Scale

ALIGNMENT = 8
"""In 16-bit precision, tensor cores need a number of channels that is a multiple of this."""


class _Reflect(torch.autograd.Function):
    """Reflection padding by one pixel."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        out = torch.empty(
            (count, channels, height + 2, width + 2), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
        )
        out[..., 1:-1, 1:-1] = x
        out[..., 0, 1:-1], out[..., -1, 1:-1] = x[..., 1, :], x[..., -2, :]
        out[..., 0], out[..., -1] = out[..., 2], out[..., -3]
        return out

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        (full,) = gradients
        rows = full[..., 1:-1, :].clone(memory_format=torch.preserve_format)
        rows[..., 1, :] += full[..., 0, :]
        rows[..., -2, :] += full[..., -1, :]
        inner = rows[..., 1:-1].contiguous(memory_format=torch.channels_last)
        inner[..., 1] += rows[..., 0]
        inner[..., -2] += rows[..., -1]
        return inner


def features(network: PriorNetwork, z: Tensor) -> Tensor:
    """Return the input of the last convolution of an hourglass, B x width x H x W.

    Args:
        network: an hourglass.
        z: B x input_depth x H x W.
    """
    return _scale(cast(Scale, network.body[0]), z)


def _scale(scale: Scale, x: Tensor) -> Tensor:
    skip = _block(scale.skip, x)
    deep = x
    for block in scale.down:
        deep = _block(cast(nn.Sequential, block), deep)
    if isinstance(scale.inner, Scale):
        deep = _scale(scale.inner, deep)
    norm, *blocks = scale.merge
    joined = _norm(cast(nn.BatchNorm2d, norm), torch.cat([skip, cast(Tensor, Double.apply(deep))], 1))
    for block in blocks:
        joined = _block(cast(nn.Sequential, block), joined)
    return joined


def _block(block: nn.Sequential, x: Tensor) -> Tensor:
    """Convolve, normalise and activate. Channels are zero-padded to a multiple of ALIGNMENT for this."""
    convolution, norm = cast(nn.Conv2d, block[0]), cast(nn.BatchNorm2d, block[1])
    padding = int(convolution.padding[0])
    if padding and convolution.padding_mode == "reflect":
        x, padding = cast(Tensor, _Reflect.apply(x)), 0
    weight = convolution.weight
    width, depth = weight.shape[:2]
    x = pad(x, (0, 0, 0, 0, 0, -depth % ALIGNMENT))
    weight = pad(weight, (0, 0, 0, 0, 0, -depth % ALIGNMENT, 0, -width % ALIGNMENT))
    stride = (int(convolution.stride[0]), int(convolution.stride[1]))
    return silu(_norm(norm, conv2d(x, weight, None, stride, padding)[:, :width]))


def _norm(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
