"""The hourglass for a GPU in channels-last layout: the same function of the same parameters, with faster operations.

PyTorch's reflection padding and bilinear upsampling leave the channels-last layout or add with atomics in the backward
pass, and convolutions of 132 channels do not use the tensor cores. The operations here have none of these problems.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, pad, silu

from dptools.purifiers.dip.networks import Generator

ALIGNMENT = 8
"""Tensor cores want a multiple of so many channels in 16-bit precision."""


class _Reflect(torch.autograd.Function):
    """Reflection padding by one pixel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        out = torch.empty(
            (count, channels, height + 2, width + 2), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
        )
        out[..., 1:-1, 1:-1] = x
        out[..., 0, 1:-1], out[..., -1, 1:-1] = x[..., 1, :], x[..., -2, :]
        out[..., 0], out[..., -1] = out[..., 2], out[..., -3]
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (full,) = gradients
        rows = full[..., 1:-1, :].clone(memory_format=torch.preserve_format)
        rows[..., 1, :] += full[..., 0, :]
        rows[..., -2, :] += full[..., -1, :]
        inner = rows[..., 1:-1].contiguous(memory_format=torch.channels_last)
        inner[..., 1] += rows[..., 0]
        inner[..., -2] += rows[..., -1]
        return inner


class _Double(torch.autograd.Function):
    """Bilinear upsampling to twice the size (align_corners=False): 3/4 of the nearest pixel, 1/4 of the next."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _double(_double(x, 2), 3)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
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
    """The adjoint of :func:`_double`."""
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


def features(network: Generator, z: Tensor, *, reflect: bool = True, double: bool = True, align: bool = True) -> Tensor:
    """Return what the network's last convolution sees, B x width x H x W."""
    return _scale(network.body[0], z, (reflect, double, align))


def _scale(scale: nn.Module, x: Tensor, options: tuple[bool, bool, bool]) -> Tensor:
    reflect, double, align = options
    skip = _block(scale.skip, x, options)
    deep = x
    for block in scale.down:
        deep = _block(block, deep, options)
    if not isinstance(scale.inner, nn.Identity):
        deep = _scale(scale.inner, deep, options)
    up = _Double.apply(deep) if double else scale.up(deep)
    joined = torch.cat([skip, up], 1)
    norm, *blocks = scale.merge
    joined = _norm(norm, joined)
    for block in blocks:
        joined = _block(block, joined, options)
    return joined


def _block(block: nn.Module, x: Tensor, options: tuple[bool, bool, bool]) -> Tensor:
    convolution, norm, _ = block
    reflect, _, align = options
    weight = convolution.weight
    if convolution.padding[0] and convolution.padding_mode == "reflect":
        x = _Reflect.apply(x) if reflect else pad(x, (1, 1, 1, 1), mode="reflect")
        padding = 0
    else:
        padding = convolution.padding[0]
    if align and (missing := -x.shape[1] % ALIGNMENT):
        x, weight = pad(x, (0, 0, 0, 0, 0, missing)), pad(weight, (0, 0, 0, 0, 0, missing))
    narrow = weight.shape[0]
    if align and (missing := -narrow % ALIGNMENT):
        weight = pad(weight, (0, 0, 0, 0, 0, 0, 0, missing))
    x = conv2d(x, weight, None, convolution.stride, padding)[:, :narrow]
    return silu(_norm(norm, x))


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    return batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
