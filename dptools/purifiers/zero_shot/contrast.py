"""Restoration of contrast that strong noise took away."""

import torch
from torch import Tensor

from dptools.purifiers.texture import MAD_TO_STD

UNIFORM_STD = 12**-0.5
"""The standard deviation of uniform noise in [0, 1]."""

MAX_WEIGHT = 0.9
"""The largest weight of noise that is assumed."""

EXTREMES = (0.002, 0.998)
"""Quantiles of the brightness that count as the darkest and the brightest value."""


def restore_contrast(output: Tensor, image: Tensor) -> Tensor:
    """Return the output with the contrast that it had before uniform noise was blended in.

    If noise of weight w is blended into an image that uses the range [0, 1], the result without its noise uses the
    range [w/2, 1 - w/2]. The removed noise gives an estimate of w, which is 28 % too large because the noise is assumed
    to be Gaussian; the range of the output limits it. The output is stretched by it, but never so far that its range
    leaves [0, 1]. Images with weak noise, and images that use the whole range, hardly change.

    Args:
        output: the image without noise, 1 x 3 x H x W.
        image: the image with noise, of the same shape.
    """
    removed = image - output
    noise = MAD_TO_STD * (removed - removed.median()).abs().median()
    weight = (noise / UNIFORM_STD).clamp(max=MAX_WEIGHT)
    # torch.quantile accepts at most 16 million values.
    brightness = output.mean(1).flatten()[:: max(1, output[0, 0].numel() // 1_000_000)]
    darkest, brightest = torch.quantile(brightness, torch.tensor(EXTREMES, device=output.device))
    lost = torch.stack([weight / 2, darkest, 1 - brightest]).min().clamp(min=0)
    return (output - lost) / (1 - 2 * lost)
