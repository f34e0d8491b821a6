"""Images as the Open Inference Protocol's tensors."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from PIL import Image
from torch import Tensor

from dptools.errors import SampleError

FLOATS = ("FP16", "FP32", "FP64", "BF16")
INTEGERS = ("UINT8", "UINT16", "UINT32", "UINT64", "INT16", "INT32", "INT64")


LARGEST = 4096
"""Pixels a side of what is sent as numbers."""


@dataclass(frozen=True)
class TensorType:
    """A tensor as a server describes it.

    Attributes:
        shape: -1 where a side may have any length.
    """

    KEYS: ClassVar = ("name", "datatype", "shape")

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """How an image becomes a tensor.

    Attributes:
        size: pixels a side; None where any will do.
        encode: of an image 3 x H x W, the tensor's shape, and its ``data`` with what parameters it needs.
        files: it is an image file, not numbers.
        whole: it holds 8-bit values, as an image does, so that nothing can be taken off them before.
    """

    size: int | None
    encode: Callable[[Tensor], tuple[list[int], dict[str, Any]]]
    files: bool = False
    whole: bool = False


def layout_of(tensor: TensorType) -> Layout:
    """How an image becomes such a tensor: three channels first or last, alone or as a batch of one; as numbers, those
    of 8 bits from 0 to 255; or, as ``BYTES``, a PNG file in base64.

    Raises:
        SampleError: no image does.
    """
    if tensor.datatype == "BYTES":
        return Layout(None, _files(len(tensor.shape)), files=True, whole=True)
    wrong = (
        f"its input {tensor.name!r} is {tensor.datatype} {list(tensor.shape)}: no image of three colours and a square"
    )
    if tensor.datatype not in (*FLOATS, *INTEGERS) or len(tensor.shape) not in (3, 4):
        raise SampleError("BadReply", wrong)
    sides = tensor.shape[-3:]
    last = sides[2] == 3 and sides[0] != 3
    height, width = sides[:2] if last else sides[1:]
    square = height == width or -1 in (height, width)
    if (sides[2] if last else sides[0]) not in (3, -1) or not square or not _possible(height) or not _possible(width):
        raise SampleError("BadReply", wrong)
    whole = tensor.datatype in INTEGERS
    size = max(height, width) if max(height, width) > 0 else None
    return Layout(size, _numbers(len(tensor.shape), last, whole), whole=whole)


def _possible(side: int) -> bool:
    return side == -1 or 0 < side <= LARGEST


def _numbers(dimensions: int, last: bool, whole: bool) -> Callable[[Tensor], tuple[list[int], dict[str, Any]]]:
    def encode(image: Tensor) -> tuple[list[int], dict[str, Any]]:
        values = (
            (image.clamp(0, 1) * 255).round().long() if whole else image.double().round(decimals=8)
        )  # as exact as float32, in half the text
        values = values.permute(1, 2, 0) if last else values
        shape = [1] * (dimensions - 3) + list(values.shape)
        return shape, {"data": values.flatten().tolist()}

    return encode


def _files(dimensions: int) -> Callable[[Tensor], tuple[list[int], dict[str, Any]]]:
    def encode(image: Tensor) -> tuple[list[int], dict[str, Any]]:
        text = base64.b64encode(png(image)).decode()
        return [1] * dimensions, {"data": [text], "parameters": {"content_type": "base64"}}

    return encode


def png(image: Tensor) -> bytes:
    """A PNG file of an image 3 x H x W in [0, 1]."""
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
