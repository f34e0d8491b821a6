"""The name of a model behind the Open Inference Protocol: its address, and in a query how pixels become its numbers."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from dptools.classifiers.services.tensors import LARGEST
from dptools.errors import UsageError, check_name
from dptools.texts import printable

PREFIX = "oip+"

Colours = tuple[float, float, float]


@dataclass(frozen=True)
class Address:
    """A model's name, read.

    Attributes:
        server: the address that the model's own path, ``v2/models/NAME``, is appended to.
        mean: taken off red, green and blue in [0, 1].
        std: by which they are divided then.
        size: pixels a side, for a model that leaves it open.
        resize: pixels of the shorter side before the middle is cut out.
        input: the name of the image's tensor, where there are several.
        output: the name of the scores' tensor, where there are several.
    """

    server: str
    path: str
    mean: Colours = (0.0, 0.0, 0.0)
    std: Colours = (1.0, 1.0, 1.0)
    size: int | None = None
    resize: int | None = None
    input: str | None = None
    output: str | None = None


def parse(name: str) -> Address:
    """
    Raises:
        UsageError: it is no model's address, or has options that there are not.
    """
    address, _, query = name.removeprefix(PREFIX).partition("?")
    found = re.fullmatch(r"(https?://[^/?#]+(?:/[^?#]*)?)/(v2/models/[^/?#]+(?:/versions/[^/?#]+)?)/?", address)
    if not found:
        raise UsageError(f"model {printable(name)}: write {PREFIX}http://HOST/v2/models/NAME, or https")
    options = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        check_name("option", option, _OPTIONS)
        try:
            options[option] = _OPTIONS[option](text)
        except ValueError as error:
            raise UsageError(f"{option}={printable(text)}: give {error}") from None
    return Address(found[1], found[2], **options)


def _side(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text) or int(text) > LARGEST:
        raise ValueError(f"pixels, from 1 to {LARGEST}")
    return int(text)


def _colours(text: str) -> Colours:
    try:
        red, green, blue = map(float, text.split(","))
    except ValueError:
        red = green = blue = math.nan
    if not math.isfinite(red + green + blue):
        raise ValueError("three numbers, for red, green and blue")
    return red, green, blue


def _divisors(text: str) -> Colours:
    if min(found := _colours(text)) <= 0:
        raise ValueError("three numbers above 0")
    return found


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "mean": _colours,
    "std": _divisors,
    "size": _side,
    "resize": _side,
    "input": str,
    "output": str,
}
