"""Fixed filters that a filter mixture chooses from, as differentiable functions of image batches."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

MEDIAN_OF_NINE = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3),
    (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip
"""A selection network for the median of nine values (J. L. Smith, "Implementing median filters in XC4000E FPGAs", XCell
23, 1996).

Each pair exchanges two values so that the first one is the smaller. Afterwards, the value in the middle is the median.
"""

BLUR_STDS = (0.8, 1.6, 3.2)
"""Standard deviations of the Gaussian blurs, in pixels."""


def smoothed(images: Tensor) -> list[Tensor]:
    """Return the images, and four versions with less and less detail: their median, and three blurs of the median.

    Args:
        images: B x 3 x H x W.
    """
    median = median3(images)
    return [images, median, *(blur(median, std) for std in BLUR_STDS)]


def median3(images: Tensor) -> Tensor:
    """Return the median of each 3 x 3 neighbourhood, per channel. Borders are replicated."""
    height, width = images.shape[-2:]
    padded = pad(images, [1] * 4, mode="replicate")
    values = [padded[..., top : top + height, left : left + width] for top in range(3) for left in range(3)]
    for low, high in MEDIAN_OF_NINE:
        values[low], values[high] = torch.minimum(values[low], values[high]), torch.maximum(values[low], values[high])
    return values[4]


def blur(images: Tensor, std: float) -> Tensor:
    """Return the images, convolved with a Gaussian of this standard deviation, in pixels. Borders are replicated."""
    radius, channels = round(2.5 * std), images.shape[1]
    offsets = torch.arange(-radius, radius + 1, device=images.device).to(images.dtype)
    kernel = torch.exp(-0.5 * (offsets / std) ** 2)
    kernel = kernel / kernel.sum()
    padded = pad(images, [radius] * 4, mode="replicate")
    rows = conv2d(padded, kernel.expand(channels, 1, 1, -1), groups=channels)
    return conv2d(rows, kernel[:, None].expand(channels, 1, -1, 1), groups=channels)
