"""Classifiers behind the Open Inference Protocol, version 2: Triton, KServe, MLServer and others.

The protocol (https://github.com/kserve/open-inference-protocol) tells the names, types and shapes of a model's tensors,
and not how pixels become numbers. That is said in a query behind the model's address:
``oip+http://localhost:8000/v2/models/resnet?mean=.485,.456,.406&std=.229,.224,.225``.
"""

import math
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dptools.classifiers.classes import numbered
from dptools.classifiers.classifier import Geometry
from dptools.classifiers.names import ClassifierOptions
from dptools.classifiers.services.address import PREFIX, Address, parse
from dptools.classifiers.services.oip_json import (
    chosen,
    described,
    flat,
    is_number,
    is_shape,
    listed,
    tensors,
    versions,
)
from dptools.classifiers.services.remote import Remote, RemoteClassifier, Whole
from dptools.classifiers.services.service import Service
from dptools.classifiers.services.tensors import Layout, TensorType, layout_of
from dptools.errors import SampleError, SetupError, UsageError

TOKEN = "OIP_TOKEN"
"""Environment variable with what a server wants as its bearer token (RFC 6750); none if it is empty or not there."""

MOST_CLASSES = 1_000_000
"""A description that speaks of more is wrong."""


def load(name: str, given: ClassifierOptions) -> RemoteClassifier:
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
        description = described(service, service.ask(address.path))
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
        weights=f"version {versions(service, description)}",
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
        outputs = listed(described(self.service, reply), "outputs")
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
        width, size = self._width, self.layout.size or 224
        self.count = width if width > 0 else len(self.scores(torch.zeros(3, size, size)))
        if self.count > MOST_CLASSES:
            raise SampleError("BadReply", f"its output is of {self.count} classes")
        return self.count

    @property
    def _width(self) -> int:
        """The number of classes that the output's shape tells, with or without sides of 1 behind it; -1 for none."""
        sides = self.output.shape[1:] or self.output.shape
        return math.prod(sides) if min(sides) > 0 else -1

    def _numbers(self, output: dict[str, Any]) -> Tensor:
        shape, values = output.get("shape"), flat(output.get("data"))
        count = self.count or self._width
        told = self.service.say(f"{self.output.name!r} of shape {shape}")
        said = f"{self.service.host} answered with {told} and {len(values)} values"
        if count > 0 and len(values) != count:
            raise SampleError("BadReply", f"{said}, where there are {count} classes")
        if not values or not is_shape(shape) or math.prod(shape) != len(values):
            raise SampleError("BadReply", said)
        if not all(map(is_number, values)):
            raise SampleError("BadReply", f"{said}, not all of them numbers")
        return torch.tensor(values, dtype=torch.float32)


def _geometry(address: Address, layout: Layout) -> Geometry:
    """An image file goes as it is, unless a size is asked for."""
    if layout.files and not address.size and not address.resize:
        return Whole()
    size = layout.size or address.size or 224
    return Geometry(resize=address.resize or round(size * 256 / 224), crop=size)


def _model(service: Service, address: Address, description: dict[str, Any]) -> Model:
    inputs = tensors(description, "inputs")
    outputs = tensors(description, "outputs")
    image = chosen(inputs, address.input, "input")
    scores = chosen(outputs, address.output, "output")
    if scores.datatype == "BYTES":
        raise SampleError("BadReply", f"its output {scores.name!r} holds texts, where numbers are wanted")
    return Model(service, address.path, image, scores, layout_of(image))


def _as_scores(values: Tensor) -> Tensor:
    """What is above 0 and sums to 1 is taken for probabilities."""
    probable = values.min() >= 0 and abs(values.sum().item() - 1) < 0.01
    return values.clamp_min(1e-12).log() if probable else values
