"""The filters, implemented with Pillow and scikit-image."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pywt import dwtn
from skimage.restoration import denoise_bilateral, denoise_nl_means, denoise_tv_chambolle

from dptools.purifiers.filters.registry import Filter

MIN_NOISE = 0.5 / 255
"""The smallest estimate of the noise standard deviation: half an 8-bit step."""

NORMAL_MAD = 0.6744897501960817
"""The median absolute deviation of normal noise with standard deviation 1."""

Pixels = NDArray[np.uint8]
Values = NDArray[np.floating]


def apply(chosen: Filter, pixels: Pixels) -> Pixels:
    """Return the filtered image.

    Args:
        chosen: the filter.
        pixels: H x W x 3 uint8.
    """
    return _FILTERS[chosen.name](pixels, chosen.value).reshape(pixels.shape)  # scikit-image drops sides of one pixel


def _jpeg(pixels: Pixels, quality: float | None) -> Pixels:
    """Compress as JPEG, a defence in Dziugaite et al. (arXiv 1608.00853)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(quality or 75))
    return np.asarray(Image.open(buffer).convert("RGB"))


def _median(pixels: Pixels, side: float | None) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(int(side or 3))))


def _bits(pixels: Pixels, bits: float | None) -> Pixels:
    """Reduce the bit depth, as in feature squeezing (arXiv 1704.01155)."""
    levels = 2 ** int(bits or 5) - 1
    return _to_bytes((pixels / 255 * levels).round() / levels)


def _bilateral(pixels: Pixels, colour: float | None) -> Pixels:
    """Apply a bilateral filter. By default, its colour deviation is twice the estimated noise."""
    values = pixels / 255
    return _to_bytes(denoise_bilateral(values, sigma_color=colour or 2 * _noise(values), channel_axis=-1))


def _tv(pixels: Pixels, weight: float | None) -> Pixels:
    """Denoise by total variation (Chambolle 2004). By default, the weight is the estimated noise."""
    values = pixels / 255
    return _to_bytes(denoise_tv_chambolle(values, weight=weight or _noise(values), channel_axis=-1))


def _nlm(pixels: Pixels, sigma: float | None) -> Pixels:
    """Apply non-local means (Buades, Coll and Morel, 2005) with patches of 5 pixels and a window of 13."""
    values = pixels / 255
    noise = sigma or _noise(values)
    settings = {"patch_size": 5, "patch_distance": 6, "fast_mode": True, "channel_axis": -1}
    return _to_bytes(denoise_nl_means(values, h=0.8 * noise, sigma=noise, **settings))


def _noise(values: Values) -> float:
    """Return the noise standard deviation: the mean over the channels, at least half an 8-bit step.

    It is estimated from the finest wavelets that are not 0. A channel without such, as a black one, has no noise.
    """
    details = np.abs(dwtn(values, "db2", axes=(0, 1))["dd"]).reshape(-1, values.shape[-1])
    noise = [np.median(channel[channel > 0]) / NORMAL_MAD if channel.any() else 0.0 for channel in details.T]
    return max(float(np.mean(noise)), MIN_NOISE)


def _to_bytes(values: Values) -> Pixels:
    pixels: Pixels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    return pixels


_FILTERS: dict[str, Callable[[Pixels, float | None], Pixels]] = {
    "jpeg": _jpeg,
    "median": _median,
    "bilateral": _bilateral,
    "tv": _tv,
    "nlm": _nlm,
    "bits": _bits,
}
