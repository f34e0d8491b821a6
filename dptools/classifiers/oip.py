"""Classifiers behind the Open Inference Protocol, version 2: Triton, KServe, MLServer and others.

The protocol (https://github.com/kserve/open-inference-protocol) tells the names, types and shapes of a model's tensors,
and not how pixels become numbers. That is said in a query behind the model's address:
``oip+http://localhost:8000/v2/models/resnet?mean=.485,.456,.406&std=.229,.224,.225``.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor

from dptools.classifiers.address import PREFIX, Address, parse
from dptools.classifiers.classes import numbered
from dptools.classifiers.classifier import Geometry
from dptools.classifiers.names import Given
from dptools.classifiers.remote import Remote, RemoteClassifier, Whole
from dptools.classifiers.service import Reply, Service
from dptools.classifiers.tensors import Layout, TensorType, layout_of
from dptools.errors import SampleError, SetupError, UsageError, check_name

TOKEN = "OIP_TOKEN"
"""Environment variable with what a server wants as its bearer token (RFC 6750); none if it is empty or not there."""

DEEPEST = 16
"""Sides of a tensor; what is nested deeper is none."""

MOST_CLASSES = 1_000_000
"""A description that speaks of more is wrong."""


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
        classes = numbered(model.classes())
    except SampleError as error:
        raise SetupError(f"{name}: {service.say(error.message)}") from None
    except UsageError as error:  # that names the model's tensors
        raise UsageError(service.say(error)) from None
    if model.layout.whole and (address.mean, address.std) != (Address.mean, Address.std):
        raise UsageError(f"{name}: its input is {model.input.datatype}, of which no mean and std can be taken off")
    return RemoteClassifier(
        Remote(service.host, model.scores),
        name=name,
        weights=f"version {_versions(service, description)}",
        classes=classes,
        geometry=_geometry(address, model.layout),
        mean=address.mean,
        std=address.std,
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
        outputs = _listed(_described(self.service, reply), "outputs")
        found = [each for each in outputs if each.get("name") == self.output.name]
        if len(found) != 1:
            wanted = self.service.say(repr(self.output.name))
            raise SampleError("BadReply", f"{self.service.host} answered without output {wanted}")
        return _as_scores(self._numbers(found[0]))

    def classes(self) -> int:
        """How many there are: as described or, where that is left open, as an answer tells.

        Raises:
            SampleError: there is no answer, or there are more than can be.
        """
        described = self._width
        size = self.layout.size or 224
        self.count = described if described > 0 else len(self.scores(torch.zeros(3, size, size)))
        if self.count > MOST_CLASSES:
            raise SampleError("BadReply", f"its output is of {self.count} classes")
        return self.count

    @property
    def _width(self) -> int:
        """The number of classes that the output's shape tells, with or without sides of 1 behind it; -1 for none."""
        sides = self.output.shape[1:] or self.output.shape
        return math.prod(sides) if min(sides) > 0 else -1

    def _numbers(self, output: dict[str, Any]) -> Tensor:
        shape, values = output.get("shape"), _flat(output.get("data"))
        count = self.count or self._width
        told = self.service.say(f"{self.output.name!r} of shape {shape}")
        said = f"{self.service.host} answered with {told} and {len(values)} values"
        if count > 0 and len(values) != count:
            raise SampleError("BadReply", f"{said}, where there are {count} classes")
        if not values or not _is_shape(shape) or math.prod(shape) != len(values):
            raise SampleError("BadReply", said)
        if not all(map(_is_number, values)):
            raise SampleError("BadReply", f"{said}, not all of them numbers")
        return torch.tensor(values, dtype=torch.float32)


def _geometry(address: Address, layout: Layout) -> Geometry:
    """An image file goes as it is, unless a size is asked for."""
    if layout.files and not address.size and not address.resize:
        return Whole()
    size = layout.size or address.size or 224
    return Geometry(resize=address.resize or round(size * 256 / 224), crop=size)


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
    image = _chosen(inputs, address.input, "input")
    scores = _chosen(outputs, address.output, "output")
    if scores.datatype == "BYTES":
        raise SampleError("BadReply", f"its output {scores.name!r} holds texts, where numbers are wanted")
    return Model(service, address.path, image, scores, layout_of(image))


def _listed(content: dict[str, Any], which: str) -> list[dict[str, Any]]:
    found = content.get(which)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _tensors(description: dict[str, Any], which: str) -> list[TensorType]:
    found = []
    for each in _listed(description, which):
        name, datatype, shape = map(each.get, TensorType.KEYS)
        if isinstance(name, str) and isinstance(datatype, str) and isinstance(shape, list) and shape:
            found.append(TensorType(name, datatype, tuple(side if isinstance(side, int) else -1 for side in shape)))
    return found


def _chosen(tensors: Sequence[TensorType], name: str | None, which: str) -> TensorType:
    names = [each.name for each in tensors]
    if not names:
        raise SampleError("BadReply", f"it describes no {which}")
    if name is None and len(names) > 1:
        raise UsageError(f"the model has several {which}s: add ?{which}=NAME, one of {', '.join(names)}")
    return tensors[names.index(check_name(which, names[0] if name is None else name, names))]


def _flat(data: Any) -> list[Any]:
    """The protocol allows nested arrays, and flat ones in row-major order."""
    for _ in range(DEEPEST):
        if not isinstance(data, list) or not any(isinstance(each, list) for each in data):
            break
        data = [value for each in data for value in (each if isinstance(each, list) else [each])]
    return data if isinstance(data, list) else [data]


def _is_shape(shape: Any) -> TypeGuard[list[int]]:
    return isinstance(shape, list) and all(isinstance(side, int) and side > 0 for side in shape)


def _versions(service: Service, description: dict[str, Any]) -> str:
    found = description.get("versions")
    return service.say("/".join(map(str, found))) if isinstance(found, list) and found else "unknown"


def _is_number(value: Any) -> bool:
    """One that a float can be; in Python, truth values are numbers, and here they are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38


def _as_scores(values: Tensor) -> Tensor:
    probable = values.min() >= 0 and abs(values.sum().item() - 1) < 0.01
    return values.clamp_min(1e-12).log() if probable else values
