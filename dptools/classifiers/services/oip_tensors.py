"""Encoding of images as tensors of the Open Inference Protocol."""

import base64
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dptools.classifiers.services.remote import encode_png
from dptools.errors import SampleError

FLOATS = ("FP16", "FP32", "FP64", "BF16")
INTEGERS = ("UINT8", "UINT16", "UINT32", "UINT64", "INT16", "INT32", "INT64")

MAX_SIDE = 4096
"""Largest side in pixels of an image that is sent as numbers."""


@dataclass(frozen=True)
class TensorType:
    """A tensor as a server describes it.

    Attributes:
        name: the tensor's name.
        datatype: the protocol's name of the data type, such as ``FP32``.
        shape: the dimensions; -1 for a dimension of any length.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The form in which a server expects an image.

    Attributes:
        dimensions: number of the tensor's dimensions.
        file: whether the image is sent as a PNG file in base64, not as numbers.
        integers: whether numbers are integers from 0 to 255, not floats.
        channels_last: whether the shape is H x W x 3, not 3 x H x W.
        size: side in pixels; None if the model accepts any size.
    """

    dimensions: int
    file: bool = False
    integers: bool = False
    channels_last: bool = False
    size: int | None = None

    @property
    def eight_bit(self) -> bool:
        """Whether the image is sent with 8 bits per channel, and therefore cannot be normalised first."""
        return self.file or self.integers

    def encode(self, image: Tensor) -> dict[str, Any]:
        """Return the JSON of an image, 3 x H x W: ``shape``, ``data`` and, for a file, ``parameters``."""
        if self.file:
            text = base64.b64encode(encode_png(image)).decode()
            return {"shape": [1] * self.dimensions, "data": [text], "parameters": {"content_type": "base64"}}
        # Eight decimals are as exact as float32, in half as many characters.
        values = (image.clamp(0, 1) * 255).round().long() if self.integers else image.double().round(decimals=8)
        values = values.permute(1, 2, 0) if self.channels_last else values
        return {"shape": [1] * (self.dimensions - 3) + list(values.shape), "data": values.flatten().tolist()}


def layout_of(tensor: TensorType) -> Layout:
    """Return the layout of an image for a model's input.

    Supported inputs are ``BYTES`` and numeric tensors with three channels. The channels come first or last, and a batch
    dimension may precede the others.

    Raises:
        SampleError: the input does not take a square image with three channels.
    """
    dimensions = len(tensor.shape)
    if tensor.datatype == "BYTES":
        return Layout(dimensions, file=True)
    first, middle, last = tensor.shape[-3:] if dimensions in (3, 4) else (0, 0, 0)
    channels_last = last == 3 and first != 3
    channels, height, width = (last, first, middle) if channels_last else (first, middle, last)
    square = height == width or -1 in (height, width)
    valid_sides = all(side == -1 or 0 < side <= MAX_SIDE for side in (height, width))
    if tensor.datatype not in (*FLOATS, *INTEGERS) or channels not in (3, -1) or not square or not valid_sides:
        form = f"{tensor.datatype} {list(tensor.shape)}"
        raise SampleError("BadReply", f"its input {tensor.name!r} is {form}, not a square image with three channels")
    size = max(height, width) if max(height, width) > 0 else None
    return Layout(dimensions, integers=tensor.datatype in INTEGERS, channels_last=channels_last, size=size)
