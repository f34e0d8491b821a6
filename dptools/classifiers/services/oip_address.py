"""Parsing of model names for the Open Inference Protocol: an address, with options in its query."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from dptools.classifiers.names import OIP, RGB
from dptools.classifiers.services.oip_tensors import MAX_SIDE
from dptools.errors import UsageError, check_name
from dptools.texts import printable


@dataclass(frozen=True)
class Address:
    """A parsed model name.

    Attributes:
        server: the address that ``path`` is appended to.
        path: the model's path, ``v2/models/NAME`` or ``v2/models/NAME/versions/VERSION``.
        mean: subtracted from the channels, which are in [0, 1].
        std: divisors of the channels, after the subtraction.
        size: side of the input in pixels, for a model that accepts any size.
        resize: length of the shorter side in pixels before the centre is cut out.
        input: name of the image tensor; needed if the model has several inputs.
        output: name of the score tensor; needed if the model has several outputs.
    """

    server: str
    path: str
    mean: RGB = (0.0, 0.0, 0.0)
    std: RGB = (1.0, 1.0, 1.0)
    size: int | None = None
    resize: int | None = None
    input: str | None = None
    output: str | None = None


def parse(name: str) -> Address:
    """Parse a model name.

    Raises:
        UsageError: the name is not the address of a model, or an option is unknown or invalid.
    """
    address, _, query = name.removeprefix(OIP).partition("?")
    match = re.fullmatch(r"(https?://[^/?#]+(?:/[^?#]*)?)/(v2/models/[^/?#]+(?:/versions/[^/?#]+)?)/?", address)
    if not match:
        raise UsageError(f"model {printable(name)}: write {OIP}http://HOST/v2/models/NAME, or https")
    options = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        check_name("option", option, _PARSERS)
        try:
            options[option] = _PARSERS[option](text)
        except ValueError as error:
            raise UsageError(f"{option}={printable(text)}: expected {error}") from None
    return Address(match[1], match[2], **options)


def _side(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text) or int(text) > MAX_SIDE:
        raise ValueError(f"a number of pixels from 1 to {MAX_SIDE}")
    return int(text)


def _channels(text: str) -> RGB:
    try:
        red, green, blue = map(float, text.split(","))
    except ValueError:
        red = green = blue = math.nan
    if not math.isfinite(red + green + blue):
        raise ValueError("three numbers, for red, green and blue")
    return red, green, blue


def _divisors(text: str) -> RGB:
    if min(divisors := _channels(text)) <= 0:
        raise ValueError("three numbers above 0")
    return divisors


_PARSERS: dict[str, Callable[[str], Any]] = {
    "mean": _channels,
    "std": _divisors,
    "size": _side,
    "resize": _side,
    "input": str,
    "output": str,
}
