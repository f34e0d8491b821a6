"""How an image becomes the input of a network: size, crop and normalisation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from dptools.classifiers.classifier import Geometry
from dptools.classifiers.names import RGB, ClassifierOptions
from dptools.classifiers.sizes import check_resize
from dptools.errors import UsageError

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Interpolation methods by the names that torchvision and timm give them."""


@dataclass(frozen=True)
class Preprocessing:
    """The preprocessing of a network.

    Attributes:
        size: side of the input, in pixels.
        resize: length of the shorter side before the central square is cropped, in pixels.
        mean: mean of the channels, which is subtracted.
        std: standard deviation of the channels, by which is divided.
        resample: the interpolation method.
        squash: whether both sides are resized, which changes the aspect ratio.
    """

    size: int
    resize: int
    mean: RGB = (0.0, 0.0, 0.0)
    std: RGB = (1.0, 1.0, 1.0)
    resample: Image.Resampling = Image.Resampling.BICUBIC
    squash: bool = False

    @classmethod
    def of_timm(cls, config: Mapping[str, Any], name: str) -> "Preprocessing":
        """Return the preprocessing that a configuration of timm describes: ``input_size``, ``crop_pct`` and others.

        Raises:
            UsageError: the input is not a square image with three channels.
            TypeError, ValueError, ArithmeticError: the configuration is malformed.
        """
        channels, height, width = config["input_size"]
        if channels != 3 or height != width:
            raise UsageError(f"{name}: its input is {channels} x {height} x {width}; expected a square RGB image")
        mean, std = _channels(config.get("mean", cls.mean)), _channels(config.get("std", cls.std))
        if min(std) <= 0:
            raise ValueError("std must be above 0")
        resample = RESAMPLING.get(config.get("interpolation", ""), Image.Resampling.BICUBIC)
        squash = config.get("crop_mode") == "squash"
        return cls(height, math.floor(height / config.get("crop_pct", 1.0)), mean, std, resample, squash)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of :class:`dptools.classifiers.Classifier` that state this preprocessing."""
        geometry = Geometry(self.resize, self.size, self.resample, self.squash)
        return {"geometry": geometry, "mean": self.mean, "std": self.std}

    def changed(self, options: ClassifierOptions) -> "Preprocessing":
        """Return the preprocessing with the changes that the user requests. With a new size, the crop is in proportion.

        Raises:
            UsageError: images would be smaller than the crop.
        """
        size = options.size or self.size
        resize = check_resize(options.resize or round(self.resize * size / self.size), size)
        return replace(self, size=size, resize=resize, mean=options.mean or self.mean, std=options.std or self.std)


def _channels(values: Any) -> RGB:
    red, green, blue = map(float, values)
    return red, green, blue
