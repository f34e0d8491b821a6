"""The classifier interface: a network with its preprocessing and its classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dptools.classifiers.classes import Classes
from dptools.classifiers.predictions import ClassProbabilities, Prediction
from dptools.errors import SampleError

Pixels = NDArray[np.uint8]
"""An sRGB image, H x W x 3, 8 bits per channel."""

MAX_ASPECT_RATIO = 8
"""Longer images are cropped to this ratio before they are resized.

The final crop would remove the rest anyway, and resizing an image of 1 x 65,000 pixels would need gigabytes.
"""


@dataclass(frozen=True)
class Geometry:
    """Resizing and cropping to a network's input size.

    The shorter side is resized to ``resize`` pixels; then a square of ``crop`` pixels is cut out of the centre. This is
    torchvision's ``Resize`` followed by ``CenterCrop``.

    Attributes:
        resize: length of the shorter side after resizing, in pixels.
        crop: side of the square that the network receives, in pixels.
        resample: the interpolation method.
        squash: whether both sides are resized to ``resize`` pixels, which changes the aspect ratio.
    """

    resize: int = 256
    crop: int = 224
    resample: Image.Resampling = Image.Resampling.BICUBIC
    squash: bool = False

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return an image of crop x crop x 3 pixels; an image that already has this size is returned unchanged."""
        height, width = pixels.shape[:2]
        if (height, width) == (self.crop, self.crop):
            return pixels
        pixels = _crop_center(pixels, MAX_ASPECT_RATIO * min(height, width))
        height, width = pixels.shape[:2]
        shorter = min(height, width)
        size = self.resize * width // shorter, self.resize * height // shorter
        size = (self.resize, self.resize) if self.squash else size
        left, top = round((size[0] - self.crop) / 2), round((size[1] - self.crop) / 2)
        resized = Image.fromarray(pixels).resize(size, self.resample)
        return np.asarray(resized.crop((left, top, left + self.crop, top + self.crop)))


def _crop_center(pixels: Pixels, side: int) -> Pixels:
    """Return the centre of an image, with neither side longer than ``side`` pixels."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return pixels[top : top + side, left : left + side]


def check_finite(scores: Tensor, name: str) -> Tensor:
    """Return the scores of the classifier of this name.

    Raises:
        SampleError: a score is not finite, so no class can be named.
    """
    if not bool(scores.isfinite().all()):
        raise SampleError("NotFinite", f"{name} returned scores that are not finite")
    return scores


class Classifier(nn.Module):
    """An image classifier on images in [0, 1].

    The classifier normalises its input itself, so that attacks can change images in [0, 1]. Parameters do not require
    gradients, and the network is in evaluation mode.

    Attributes:
        name: the model name as the user wrote it.
        weights: identifies the weights: a version, or the first 16 digits of the file's SHA-256.
        geometry: resizes and crops images to the input size.
        classes: the meaning of the output indices.
        settings: what the user changed about the preprocessing and the classes, for cache keys.
        remote: whether a service computes the scores. A service can fail for single images.
    """

    remote = False
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        weights: str,
        classes: Classes,
        geometry: Geometry,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        memory_format: torch.memory_format = torch.channels_last,  # 10 to 15 % faster
    ) -> None:
        super().__init__()
        self.network = network
        self.name, self.weights, self.classes, self.geometry = name, weights, classes, geometry
        self.settings: dict[str, Any] = {}
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.eval().requires_grad_(False).to(memory_format=memory_format)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, B x classes, of images in [0, 1], B x 3 x S x S with S = ``geometry.crop``.

        Raises:
            ValueError: the images have another shape, or integer values.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"expected images of shape B x 3 x H x W, got {tuple(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(f"expected floating-point images, got {images.dtype}; divide 8-bit values by 255")
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits

    @property
    def params(self) -> dict[str, Any]:
        """What predictions depend on, besides the image, for cache keys: name, fingerprint of the weights, settings."""
        return {"model": self.name, "weights": self.weights, **self.settings}

    @property
    def device(self) -> torch.device:
        """The device that the network is on."""
        return self.mean.device

    def tensor(self, pixels: Pixels) -> Tensor:
        """Return an image of any size as the network's input: 1 x 3 x S x S, float32 in [0, 1], on its device."""
        resized = np.array(self.geometry(pixels))
        return torch.from_numpy(resized).to(self.device).permute(2, 0, 1)[None].float() / 255

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return the softmax of the logits, B x classes, on the CPU.

        Raises:
            SampleError: a logit is not finite, so no class can be named.
        """
        logits = check_finite(self(images), self.name)
        return logits.float().softmax(dim=1).cpu()

    def predict(self, images: Sequence[Pixels]) -> Sequence[Prediction]:
        """Return a prediction for each image; the images may have any size."""
        rows = self.probabilities(torch.cat([self.tensor(pixels) for pixels in images]))
        return [ClassProbabilities(row, self.classes) for row in rows]
