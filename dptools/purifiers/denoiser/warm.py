"""A network that knows photographs before it sees its first image: it starts warm, and needs no fit."""

import hashlib
import io
from functools import cache
from importlib.resources import files
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle

from dptools.purifiers.dip.network import Network

WIDTHS = (32, 64, 128)
"""Channels at 1/2, 1/4 and 1/8 of the image's size."""

BORDER = 8
"""Pixels that the image goes on for on each side, so that its own are spared what convolutions do at a border."""


class Guided(Network):
    """A residual U-net whose code is the image itself: what it puts out differs from the image by what it takes for
    noise.

    The parts are those of DRUNet (Zhang et al., arXiv 2008.13751), smaller, and at half resolution (arXiv 1609.05158).
    At the bottom it also sees the mean of every channel over the whole image (arXiv 1709.01507): to tell one kind of
    noise from another, and how strong it is, takes more than a neighbourhood.
    """

    drawn = False

    def __init__(self) -> None:
        super().__init__()
        self.multiple = 2 ** len(WIDTHS)
        self.head = nn.Conv2d(12, WIDTHS[0], 3, padding=1)
        self.body = _level(*WIDTHS)
        self.tail = nn.Conv2d(WIDTHS[0], 12, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """Images in [0, 1] of images, B x 3 x H x W."""
        halved = pixel_unshuffle(pad(code, [BORDER] * 4, mode="replicate") - 0.5, 2)
        change = self.tail(self.body(self.head(halved.contiguous(memory_format=torch.channels_last))))
        return code + pixel_shuffle(change, 2)[..., BORDER:-BORDER, BORDER:-BORDER]

    def code(self, guide: Tensor, generator: torch.Generator) -> Tensor:
        """The image itself."""
        return guide


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)  # the identity to begin with, which makes training steady
        nn.init.zeros_(cast(Tensor, self.second.bias))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.second(self.first(x).relu_())
        return changed


class _Overview(nn.Module):
    """Scales and shifts channels by what they are on average."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2 * width, width), nn.Linear(width, 2 * width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat([x.mean((2, 3)), x.abs().mean((2, 3))], dim=1)
        scale, shift = self.second(self.first(seen).relu()).chunk(2, dim=1)
        changed: Tensor = x * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        return changed


class _Level(nn.Module):
    """Two blocks on the way down, two on the way up, and all that is coarser between them."""

    def __init__(self, width: int, below: int, inner: nn.Module) -> None:
        super().__init__()
        self.into, self.out = (nn.Sequential(_Block(width), _Block(width)) for _ in range(2))
        self.down, self.up = nn.Conv2d(width, below, 2, 2), nn.ConvTranspose2d(below, width, 2, 2)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        merged: Tensor = self.out(x + self.up(self.inner(self.down(x))))
        return merged


def _level(width: int, *below: int) -> nn.Module:
    if not below:
        return nn.Sequential(
            _Block(width), _Overview(width), _Block(width), _Block(width), _Overview(width), _Block(width)
        )
    return _Level(width, below[0], _level(*below))


def warm() -> Network:
    """The network with the weights that come with dptools; see :mod:`dptools.purifiers.dip.training`."""
    with torch.device("meta"):  # draws no weights that are thrown away at once
        network = Guided()
    network.load_state_dict({name: value.float() for name, value in _weights().items()}, assign=True)
    return network


@cache
def fingerprint() -> str:
    """Tells weights from others: the first 16 digits of their SHA-256."""
    return hashlib.sha256(_stored()).hexdigest()[:16]


@cache
def _weights() -> dict[str, Tensor]:
    """Kept as they are stored, in 16 bits; whoever trains, trains a copy."""
    return cast(dict[str, Tensor], torch.load(io.BytesIO(_stored()), weights_only=True))


def _stored() -> bytes:
    return files("dptools.purifiers.denoiser").joinpath("warm.pt").read_bytes()
