"""Classifiers behind the Open Inference Protocol, version 2: Triton, KServe, MLServer and others.

The protocol (https://github.com/kserve/open-inference-protocol) tells the names, types and shapes of a model's tensors,
and not how pixels become numbers. That is said in a query behind the model's address:
``oip+http://localhost:8000/v2/models/resnet?mean=.485,.456,.406&std=.229,.224,.225``.
"""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import torch
from torch import Tensor

from dptools.classifiers.classes import numbered
from dptools.classifiers.classifier import Geometry
from dptools.classifiers.names import Given
from dptools.classifiers.remote import Remote, RemoteClassifier, Whole
from dptools.classifiers.service import Reply, Service
from dptools.classifiers.tensors import Layout, TensorType, layout_of
from dptools.errors import SampleError, SetupError, UsageError, check_name
from dptools.texts import printable

PREFIX = "oip+"

TOKEN = "OIP_TOKEN"
"""Environment variable with what a server wants as its bearer token (RFC 6750); none if it is empty or not there."""

OPTIONS = {
    "mean": "three numbers, taken off red, green and blue in [0, 1]",
    "std": "three numbers above 0, by which they are divided then",
    "size": "pixels a side, where the model leaves it open",
    "resize": "pixels of the shorter side before the middle is cut out",
    "input": "the name of the image's tensor, where there are several",
    "output": "the name of the scores' tensor, where there are several",
}


@dataclass(frozen=True)
class Address:
    """A model's name, read.

    Attributes:
        server: the address that the model's own path, ``v2/models/NAME``, is appended to.
        options: of :data:`OPTIONS`, those that are given.
    """

    server: str
    path: str
    options: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: int) -> int:
        """A whole number above 0.

        Raises:
            UsageError: something else is given.
        """
        text = self.options.get(name, str(default))
        if not re.fullmatch(r"[1-9]\d{0,4}", text):
            raise UsageError(f"{name}={text}: give {OPTIONS[name]}")
        return int(text)

    def colours(self, name: str, default: float) -> tuple[float, float, float]:
        """Three numbers.

        Raises:
            UsageError: something else is given.
        """
        parts = self.options.get(name, f"{default},{default},{default}").split(",")
        try:
            red, green, blue = map(float, parts)
        except ValueError:
            red = green = blue = math.nan
        if not math.isfinite(red + green + blue) or (name == "std" and min(red, green, blue) <= 0):
            raise UsageError(f"{name}={self.options[name]}: give {OPTIONS[name]}")
        return red, green, blue


def parse(name: str) -> Address:
    """
    Raises:
        UsageError: it is no model's address, or has options that there are not.
    """
    address, _, query = name.removeprefix(PREFIX).partition("?")
    found = re.fullmatch(r"(https?://[^/?#]+(?:/[^?#]*)?)/(v2/models/[^/?#]+(?:/versions/[^/?#]+)?)/?", address)
    if not found:
        raise UsageError(f"model {printable(name)}: write {PREFIX}http://HOST/v2/models/NAME, or https")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options:
        check_name("option", option, OPTIONS)
    return Address(found[1], found[2], options)


def load(name: str, given: Given) -> RemoteClassifier:
    """The model's classifier, its tensors as the server describes them.

    Raises:
        UsageError: the name is wrong.
        SetupError: the server cannot be reached, or the model is not there or takes no images.
    """
    address = parse(name)
    if given.endpoint:
        raise UsageError(f"--endpoint is for services whose address is not their name, and {PREFIX} has it in it")
    token = os.environ.get(TOKEN, "").strip()
    service = Service(address.server, given.timeout, f"Bearer {token}" if token else "")
    try:
        description = _described(service, service.ask(address.path))
        model = _model(service, address, description)
        count = model.output.shape[-1] if model.output.shape[-1] > 0 else model.probe()
    except SampleError as error:
        raise SetupError(f"{name}: {error.message}") from None
    return RemoteClassifier(
        Remote(service.host, model.scores),
        name=name,
        weights=f"version {'/'.join(map(str, description.get('versions') or ['unknown']))}",
        classes=numbered(count),
        geometry=_geometry(address, model.layout),
        mean=address.colours("mean", 0.0),
        std=address.colours("std", 1.0),
    )


@dataclass
class Model:
    """A model on a server.

    Attributes:
        count: of classes; None as long as it is not known.
    """

    service: Service
    path: str
    input: TensorType
    output: TensorType
    layout: Layout
    count: int | None = None

    def scores(self, image: Tensor) -> Tensor:
        """Scores of an image, 3 x H x W: of probabilities, the logarithms.

        Raises:
            SampleError: the server did not answer, refused, or answered something else.
        """
        shape, values = self.layout.encode(image)
        tensor = {"name": self.input.name, "shape": shape, "datatype": self.input.datatype, **values}
        body = {"inputs": [tensor], "outputs": [{"name": self.output.name}]}
        reply = self.service.ask(f"{self.path}/infer", body)
        outputs = _described(self.service, reply).get("outputs")
        found = [each for each in outputs or [] if isinstance(each, dict) and each.get("name") == self.output.name]
        if len(found) != 1:
            raise SampleError("BadReply", f"{self.service.host} answered without output {self.output.name!r}")
        return _as_scores(self._numbers(found[0]))

    def probe(self) -> int:
        """How many classes there are, where only an answer tells."""
        size = self.layout.size or 224
        self.count = len(self.scores(torch.zeros(3, size, size)))
        return self.count

    def _numbers(self, output: dict[str, Any]) -> Tensor:
        shape, values = output.get("shape"), _flat(output.get("data"))
        wrong = f"{self.service.host} answered with {self.output.name!r} of shape {shape} and {len(values)} values"
        count = self.count or self.output.shape[-1]
        if not isinstance(shape, list) or not values or (count > 0 and len(values) != count):
            raise SampleError("BadReply", f"{wrong}, where there are {count} classes" if count > 0 else wrong)
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise SampleError("BadReply", f"{wrong}, not all of them numbers")
        return torch.tensor(values, dtype=torch.float32)


def _geometry(address: Address, layout: Layout) -> Geometry:
    """An image file goes as it is, unless a size is asked for."""
    if layout.files and not {"size", "resize"} & set(address.options):
        return Whole()
    size = layout.size or address.number("size", 224)
    return Geometry(resize=address.number("resize", round(size * 256 / 224)), crop=size)


def _described(service: Service, reply: Reply) -> dict[str, Any]:
    """What a server answered, if it is an answer.

    Raises:
        SampleError: it is none.
    """
    content = reply.content
    if reply.status != 200:
        reason = content.get("error") if isinstance(content, dict) else None
        said = f": {service.say(reason)}" if reason else ""
        raise SampleError("ServiceError", f"{service.host} answered {reply.status}{said}")
    if not isinstance(content, dict):
        raise SampleError("BadReply", f"{service.host} answered with something that is not the protocol's JSON")
    return content


def _model(service: Service, address: Address, description: dict[str, Any]) -> Model:
    inputs = _tensors(description, "inputs")
    outputs = _tensors(description, "outputs")
    image = _chosen(inputs, address.options.get("input"), "input")
    scores = _chosen(outputs, address.options.get("output"), "output")
    if scores.datatype == "BYTES":
        raise SampleError("BadReply", f"its output {scores.name!r} holds texts, where numbers are wanted")
    return Model(service, address.path, image, scores, layout_of(image))


def _tensors(description: dict[str, Any], which: str) -> list[TensorType]:
    found = []
    for each in description.get(which) or []:
        name, datatype, shape = (each.get(key) if isinstance(each, dict) else None for key in TensorType.KEYS)
        if isinstance(name, str) and isinstance(datatype, str) and isinstance(shape, list) and shape:
            found.append(TensorType(name, datatype, tuple(side if isinstance(side, int) else -1 for side in shape)))
    return found


def _chosen(tensors: Sequence[TensorType], name: str | None, which: str) -> TensorType:
    names = [each.name for each in tensors]
    if not names:
        raise SampleError("BadReply", f"it describes no {which}")
    if name is None and len(names) > 1:
        raise UsageError(
            f"the model has several {which}s: add ?{which}=NAME, one of {', '.join(map(printable, names))}"
        )
    return tensors[names.index(check_name(which, names[0] if name is None else name, names))]


def _flat(data: Any) -> list[Any]:
    """The protocol allows nested arrays, and flat ones in row-major order."""
    return [value for each in data for value in _flat(each)] if isinstance(data, list) else [data]


def _as_scores(values: Tensor) -> Tensor:
    probable = values.min() >= 0 and abs(values.sum().item() - 1) < 0.01
    return values.clamp_min(1e-12).log() if probable else values
