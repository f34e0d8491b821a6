"""Convert the values of an image file to 8-bit sRGB: 16 bits to 8, alpha over white, colour profiles to sRGB."""

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from dptools.errors import SampleError
from dptools.texts import printable

MAX_NAME = 60
"""The longest name of a colour profile in a note, in characters."""

_BROKEN = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def to_8_bits(image: Image.Image, bits: int, inverted: bool = False) -> Image.Image:
    """Return the image with 8-bit values. Grey ones are rounded here; Pillow has already truncated those of colours.

    Args:
        image: The decoded image.
        bits: The number of bits of the samples in its file.
        inverted: Whether the value 0 of a grey image with more than 8 bits is white.

    Raises:
        SampleError: The range of the values is unknown: they are floating-point or negative, or have more than 16 bits.
    """
    key = image.info.get("transparency")
    if bits > 8 and image.mode == "RGB" and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if bits > 16 or values.min(initial=0) < 0:
        raise SampleError(
            "UnsupportedDepth",
            f"the range of values in mode {image.mode} is unknown: convert it to 8 or 16 bits",
        )
    top = 2**bits - 1
    grey = Image.fromarray(np.round((top - values if inverted else values) / top * 255).astype(np.uint8))
    if isinstance(key, int):
        grey = Image.merge("LA", (grey, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))))
    grey.info["icc_profile"] = image.info.get("icc_profile")
    return grey


def to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return an 8-bit image of any mode as sRGB over white, and notes of what was changed."""
    notes = [_EXPANDED[image.mode]] if image.mode in _EXPANDED else []
    alpha = _alpha(image)
    opaque = _OPAQUE[image.mode](image) if image.mode in _OPAQUE else image
    rgb, note = _in_srgb(opaque, image.info.get("icc_profile"))
    notes += [note] if note else []
    if alpha is not None and alpha.getextrema()[0] != 255:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
        notes.append("transparency composited over white")
    return rgb, notes


def has_valid_profile(image: Image.Image) -> bool:
    """Return whether an image has a colour profile that can be read."""
    profile = image.info.get("icc_profile")
    try:
        return bool(profile and ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except _BROKEN:
        return False


_EXPANDED = {
    **dict.fromkeys(("1", "L", "LA", "La"), "grey expanded to RGB"),
    **{mode: f"{mode} converted to RGB" for mode in ("CMYK", "YCbCr", "LAB", "HSV")},
}
"""The notes for images that are not RGB, by their mode. Expanding a palette changes no colour."""

_OPAQUE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "P": lambda image: image.convert("RGBA").convert("RGB"),
    "PA": lambda image: image.convert("RGBA").convert("RGB"),
    "LA": lambda image: image.getchannel("L"),
    "La": lambda image: image.convert("LA").getchannel("L"),
    "RGBA": lambda image: Image.merge("RGB", image.split()[:3]),
    "RGBa": lambda image: image.convert("RGBA").convert("RGB"),
}
"""Functions that remove the palette or the alpha channel of an image, by its mode. They keep the colours."""


def _alpha(image: Image.Image) -> Image.Image | None:
    has_alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA").getchannel("A") if has_alpha else None


def _in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str | None]:
    """Return the image in sRGB, and a note if its colour profile was converted or had to be ignored."""
    if not profile:
        return image.convert("RGB"), None
    try:
        transform, name = _transform(profile, image.mode)
        if transform is None:
            return image.convert("RGB"), None
        return transform.apply(image), f"colour profile {name} converted to sRGB"
    except _BROKEN:
        return image.convert("RGB"), "broken colour profile ignored"


@lru_cache(16)
def _transform(profile: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """Return the transform from a profile to sRGB, None if it changes no RGB value by more than 1, and its name."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    name = printable(" ".join(ImageCms.getProfileDescription(source).split()))[:MAX_NAME] or "without a name"
    if mode != "RGB":
        return transform, name
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    differences = np.asarray(transform.apply(Image.fromarray(colours))).astype(int) - colours
    return (transform if np.abs(differences).max() > 1 else None), name
