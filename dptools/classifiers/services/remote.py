"""Classifiers whose scores come from a service, without gradients."""

import io
from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from dptools.classifiers.classifier import Classifier, Geometry, Pixels
from dptools.classifiers.predictions import Prediction
from dptools.classifiers.without_gradient import WithoutGradient
from dptools.pixels import to_pixels


class RemoteNetwork(nn.Module):
    """A network that sends one image at a time to a service.

    Args:
        host: the service's host, for error messages.
        score: returns the logits, shape (classes,), of one image 3 x H x W on the CPU.
    """

    def __init__(self, host: str, score: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.host, self.score = host, score

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, B x classes, of images B x 3 x H x W. The backward pass raises a ``SampleError``."""
        logits: Tensor = WithoutGradient.apply(images, self._scores, self.host)
        return logits

    def _scores(self, images: Tensor) -> Tensor:
        return torch.stack([self.score(image.cpu()) for image in images]).to(images.device)


class RemoteClassifier(Classifier):
    """A classifier whose network is a :class:`RemoteNetwork`."""

    remote = True

    def predict(self, images: Sequence[Pixels]) -> Sequence[Prediction]:
        """Return a prediction for each image; they are sent one at a time, so their sizes may differ."""
        return [prediction for pixels in images for prediction in super(RemoteClassifier, self).predict([pixels])]


class KeepSize(Geometry):
    """No resizing, for services that resize images themselves."""

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return the image unchanged."""
        return pixels


def encode_png(image: Tensor) -> bytes:
    """Return an image, 3 x H x W in [0, 1], as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(to_pixels(image)).save(file, "PNG", compress_level=1)
    return file.getvalue()
