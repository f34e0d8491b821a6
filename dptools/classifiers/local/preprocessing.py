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
    """The preprocessing of a network; the fields are arguments of :class:`dptools.classifiers.Classifier`.

    Attributes:
        geometry: the resizing and cropping.
        mean: mean of the channels, which is subtracted.
        std: standard deviation of the channels, by which is divided.
    """

    geometry: Geometry
    mean: RGB = (0.0, 0.0, 0.0)
    std: RGB = (1.0, 1.0, 1.0)

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
        resize = math.floor(height / config.get("crop_pct", 1.0))
        return cls(Geometry(resize, height, resample, squash), mean, std)

    def changed(self, options: ClassifierOptions) -> "Preprocessing":
        """Return the preprocessing with the changes that the user requests. With a new size, the crop is in proportion.

        Raises:
            UsageError: images would be smaller than the crop.
        """
        own = self.geometry
        size = options.size or own.crop
        resize = check_resize(options.resize or round(own.resize * size / own.crop), size)
        geometry = replace(own, crop=size, resize=resize)
        return Preprocessing(geometry, options.mean or self.mean, options.std or self.std)


def _channels(values: Any) -> RGB:
    red, green, blue = map(float, values)
    return red, green, blue
