"""Purification as a transform of torchvision."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import Transform
from torchvision.transforms.v2 import functional as tv

from dptools.purifiers.loading import load
from dptools.purifiers.method import DEFAULT, Method
from dptools.purifiers.purifier import Purifier

PIL_MODES = ("RGB", "L")


class Purify(Transform):  # type: ignore[misc]  # torchvision is not typed
    """A transform (``torchvision.transforms.v2``) that purifies images, for example in a data set.

    It takes and returns PIL images, ``tv_tensors.Image`` and tensors, ... x C x H x W with one or three channels.
    Tensors are uint8, or floating point in [0, 1]; type, shape and number format are kept. Other inputs, such as
    labels, pass through. Put it before ``Normalize``.

    Random methods draw their seeds from torch's global generator, which a ``DataLoader`` seeds in each worker.

    >>> transform = v2.Compose([Purify("jpeg:50"), v2.Resize(256), v2.CenterCrop(224), v2.ToImage()])
    """

    _transformed_types = (Image.Image, tv_tensors.Image, tv_tensors.Video, tv.is_pure_tensor)  # not masks or boxes

    def __init__(self, purifier: str | Method | Purifier = DEFAULT) -> None:
        """Choose the purifier.

        Args:
            purifier: a purifier, or the name of a method; see :func:`dptools.purifiers.load`.

        Raises:
            UsageError: there is no such method.
        """
        super().__init__()
        self.purifier = purifier if isinstance(purifier, Purifier) else load(purifier)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one purified image. :meth:`forward` calls this method for each image of a sample.

        Raises:
            ValueError: the image has another mode, shape or number format, or values that are not finite.
        """
        if isinstance(inpt, Image.Image):
            return self._purify_pil(inpt)
        return tv_tensors.wrap(self._purify(inpt.as_subclass(Tensor)), like=inpt)

    def _transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Do the same under the name that torchvision before 0.21 calls."""
        return self.transform(inpt, params)

    def _purify_pil(self, image: Image.Image) -> Image.Image:
        if image.mode not in PIL_MODES:
            raise ValueError(f"expected a PIL image of mode RGB or L, got {image.mode}: use image.convert('RGB')")
        purified: Image.Image = tv.to_pil_image(self._purify(tv.pil_to_tensor(image)), image.mode)
        return purified

    @torch.no_grad()
    def _purify(self, image: Tensor) -> Tensor:
        """Return a purified image or batch, ... x C x H x W."""
        if image.ndim < 3 or image.shape[-3] not in (1, 3):
            shape = tuple(image.shape)
            raise ValueError(f"expected an image of shape ... x C x H x W with 1 or 3 channels, got {shape}")
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise ValueError(f"expected an image of uint8 or floating point, got {image.dtype}")
        values = image.float() / 255 if image.dtype == torch.uint8 else image
        batch = values.reshape(-1, *image.shape[-3:]).expand(-1, 3, -1, -1)
        purified: Tensor = self.purifier(batch)[:, : image.shape[-3]].reshape(image.shape)
        return (purified.clamp(0, 1) * 255).round().byte() if image.dtype == torch.uint8 else purified
