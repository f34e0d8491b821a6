"""Vector fields that deform images: resampling, smoothing and size."""

from math import ceil

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample

# Radius of the Gaussian filter in standard deviations.
TRUNCATE = 4


def deformation(field: Tensor) -> Tensor:
    """Return the size of B vector fields, B x 2 x H x W: the length of the longest vector, in pixels."""
    longest: Tensor = field.norm(dim=1).amax(dim=(1, 2))
    return longest


def resample(images: Tensor, field: Tensor) -> Tensor:
    """Return images, B x 3 x H x W, sampled bilinearly at every pixel plus its vector.

    Args:
        images: B x 3 x H x W. Values outside are those of the nearest border pixel.
        field: B x 2 x H x W in pixels (x, then y).
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device).view(1, height, 1)
    columns = torch.arange(width, device=images.device).view(1, 1, width)
    x = 2 * (columns + field[:, 0]) / max(1, width - 1) - 1
    y = 2 * (rows + field[:, 1]) / max(1, height - 1) - 1
    return grid_sample(images, torch.stack((x, y), dim=-1), padding_mode="border", align_corners=True)


def gaussian(field: Tensor, sigma: float) -> Tensor:
    """Return B x C x H x W smoothed by a Gaussian filter.

    ADef requires a self-adjoint filter. Reflection at the border makes the filter self-adjoint.

    Args:
        field: B x C x H x W.
        sigma: Standard deviation in pixels, above 0.
    """
    radius = ceil(TRUNCATE * sigma)
    offsets = torch.arange(-radius, radius + 1, device=field.device, dtype=field.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    for axis, shape in ((2, (1, 1, -1, 1)), (3, (1, 1, 1, -1))):
        padded = _pad_by_reflection(field.flatten(0, 1)[:, None], radius, axis)
        field = conv2d(padded, kernel.view(shape)).view_as(field)
    return field


def _pad_by_reflection(field: Tensor, radius: int, axis: int) -> Tensor:
    """Pad both ends of an axis by reflection that repeats the border value. The radius may exceed the length."""
    length = field.shape[axis]
    indices = torch.arange(-radius, length + radius, device=field.device) % (2 * length)
    return field.index_select(axis, torch.where(indices < length, indices, 2 * length - 1 - indices))
