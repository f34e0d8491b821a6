"""Synthetic training images: textured leaves of all sizes that occlude each other.

The dead leaves model has the statistics of natural images that matter to a denoiser: scale invariance and occlusion
(Lee, Mumford and Huang, IJCV 41, 2001). Denoisers trained on it come close to those trained on photographs (Achddou,
Gousseau and Ladjal, "Synthetic images as a regularity prior for image restoration neural networks", 2021). Textures
and gradients on the leaves follow their "VibrantLeaves" idea.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

SMALLEST, LARGEST = 4.0, 160.0
"""Bounds of a leaf's radius r, in pixels before the reduction to half size.

The density of r is proportional to r ** -2. A scale-invariant density would be r ** -3. The flatter density has more
large leaves, so few leaves cover the canvas.
"""

REACH = 1.6
"""Half the side of a leaf's box, divided by its radius. The box cuts off the tips of about 1 % of leaves."""

MARGIN = int(REACH * LARGEST) + 2
"""Pixels around the canvas, so that every box fits on it."""


def dead_leaves(count: int, side: int, device: torch.device, leaves: int = 350) -> Tensor:
    """Return synthetic images, count x 3 x side x side uint8.

    Random numbers come from torch's global generators: the radii from the CPU's, the others from the device's.

    Args:
        count: number of images.
        side: side of an image, in pixels.
        device: device to compute on.
        leaves: number of leaves that are painted on each image, from back to front.
    """
    full = 2 * side  # painted at twice the size, so that edges are antialiased
    noise = _pink(count, full, device)
    palette = _colours(count, 12, device)
    canvas = palette[:, 0, :, None, None].repeat(1, 1, full + 2 * MARGIN, full + 2 * MARGIN)
    radii = _radii(count, leaves)[:, torch.randperm(leaves)]
    for leaf in range(leaves):
        _paint(canvas, noise, palette, radii[:, leaf])
    small = avg_pool2d(canvas[..., MARGIN:-MARGIN, MARGIN:-MARGIN], 2)
    gamma = torch.exp(0.35 * torch.randn(count, 1, 1, 1, device=device))
    return (small.clamp(0, 1) ** gamma * 255).round().byte()


def _paint(canvas: Tensor, noise: Tensor, palette: Tensor, radii: Tensor) -> None:
    """Paint one leaf on each image. All boxes have the size that the largest leaf needs.

    Args:
        canvas: B x 3 x H x W, changed in place.
        noise: textures, B x 3 x h x w, where h and w are H and W without the margins.
        palette: colours, B x N x 3.
        radii: B radii, on the CPU. If they are similar, little of each box stays unused.
    """
    count, device, full = len(canvas), canvas.device, noise.shape[-1]
    reach = int(REACH * float(radii.max())) + 1
    offsets = torch.arange(-reach, reach + 1, device=device)
    centres = torch.randint(full, (2, count, 1), device=device)
    rows, columns = (centres[0] + offsets)[:, :, None], (centres[1] + offsets)[:, None, :]
    batch = torch.arange(count, device=device)[:, None, None]
    dy, dx, radius = offsets[None, :, None].float(), offsets[None, None, :].float(), radii.to(device)
    dy, dx = dy.expand(count, -1, 1), dx.expand(count, 1, -1)
    grain = noise[batch, :, rows % full, columns % full].permute(0, 3, 1, 2)
    fill = _texture(dy, dx, radius, grain, palette).permute(0, 2, 3, 1)
    place = (batch, slice(None), rows + MARGIN, columns + MARGIN)
    canvas[place] = torch.where(_shape(dy, dx, radius)[..., None], fill, canvas[place])


def _shape(dy: Tensor, dx: Tensor, radius: Tensor) -> Tensor:
    """Return a mask of the pixels that a leaf covers, B x H x W: an ellipse with a wavy outline, or a rectangle."""
    count, device = len(radius), radius.device

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, device=device))[:, None, None]

    angle, aspect = uniform(0, math.pi), torch.exp(uniform(-0.7, 0.7))
    along = (dx * angle.cos() + dy * angle.sin()) * aspect.sqrt()
    across = (dy * angle.cos() - dx * angle.sin()) / aspect.sqrt()
    size = radius[:, None, None]
    waves, depth, phase = uniform(2, 7).round(), uniform(0, 0.3) * (uniform(0, 1) < 0.6), uniform(0, 2 * math.pi)
    theta = torch.atan2(across, along)
    ellipse = along.square() + across.square() < (size * (1 + depth * (waves * theta + phase).cos())).square()
    rectangle = torch.maximum(along.abs(), across.abs()) < 0.8 * size
    return torch.where(uniform(0, 1) < 0.3, rectangle, ellipse)


def _texture(dy: Tensor, dx: Tensor, radius: Tensor, noise: Tensor, palette: Tensor) -> Tensor:
    """Return the colours of a leaf, B x 3 x H x W: a gradient between two colours, stripes, and pink noise."""
    count, device = len(radius), radius.device

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, device=device))[:, None, None]

    rows = torch.arange(count, device=device)
    picks = torch.randint(palette.shape[1], (2, count), device=device)
    first, second = (palette[rows, pick][:, :, None, None] for pick in picks)
    angle, size = uniform(0, 2 * math.pi), radius[:, None, None]
    along = dx * angle.cos() + dy * angle.sin()
    slope = (0.5 + 0.35 * along / size).clamp(0, 1) * (uniform(0, 1) < 0.5)
    wave = torch.exp(uniform(math.log(3), math.log(60)))
    stripes = 0.5 * (1 + (2 * math.pi * along / wave).sin() * uniform(0.1, 1)) * (uniform(0, 1) < 0.2)
    mix = (slope + stripes).clamp(0, 1)[:, None]
    grain = torch.exp(uniform(math.log(0.01), math.log(0.25))) * (uniform(0, 1) < 0.6)
    return (torch.lerp(first, second, mix) + grain[:, None] * noise).clamp(0, 1)


def _radii(count: int, leaves: int) -> Tensor:
    """Return radii, count x leaves, on the CPU. Radii within a column are similar; later columns have larger radii."""
    chance = (torch.arange(leaves) + torch.rand(count, leaves)) / leaves
    return 1 / (1 / SMALLEST + chance * (1 / LARGEST - 1 / SMALLEST))


def _colours(count: int, colours: int, device: torch.device) -> Tensor:
    """Return palettes, count x colours x 3 in [0, 1]. Channels are correlated and colours muted, as in photographs."""
    grey = torch.rand(count, colours, 1, device=device)
    tint = torch.randn(count, colours, 3, device=device) * 0.08 + torch.randn(count, 1, 3, device=device) * 0.06
    return (grey + tint).clamp(0, 1)


def _pink(count: int, side: int, device: torch.device) -> Tensor:
    """Return textures, count x 3 x side x side, with zero mean and an amplitude spectrum of f ** -alpha.

    The three channels are one field of unit variance, multiplied by a random factor for each channel.
    """
    spectrum = torch.fft.rfft2(torch.randn(count, 1, side, side, device=device))
    frequency = torch.sqrt(
        torch.fft.fftfreq(side, device=device)[:, None] ** 2 + torch.fft.rfftfreq(side, device=device)[None] ** 2
    ).clamp(min=1 / side)
    alpha = 0.3 + 0.9 * torch.rand(count, 1, 1, 1, device=device)
    field = torch.fft.irfft2(spectrum * frequency**-alpha, s=(side, side))
    field = (field - field.mean((2, 3), keepdim=True)) / field.std((2, 3), keepdim=True)
    tint = 1 + 0.3 * torch.randn(count, 3, 1, 1, device=device)
    texture: Tensor = field * tint
    return texture
