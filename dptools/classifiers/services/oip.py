"""Models behind the Open Inference Protocol, version 2: Triton, KServe, MLServer and other servers.

The protocol (https://github.com/kserve/open-inference-protocol) describes the names, types and shapes of a model's
tensors, but not how pixels are normalised. The query string of the model's address gives the normalisation:
``oip+http://localhost:8000/v2/models/resnet?mean=.485,.456,.406&std=.229,.224,.225``.
"""

import math
import os
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dptools.classifiers.classes import numbered
from dptools.classifiers.classifier import Geometry
from dptools.classifiers.names import ClassifierOptions
from dptools.classifiers.services.oip_address import Address, parse
from dptools.classifiers.services.oip_json import (
    check_reply,
    flatten,
    is_number,
    is_shape,
    objects,
    parse_tensors,
    select,
    versions,
)
from dptools.classifiers.services.oip_tensors import Layout, TensorType, layout_of
from dptools.classifiers.services.remote import KeepSize, RemoteClassifier, RemoteNetwork
from dptools.classifiers.services.service import Service
from dptools.classifiers.sizes import check_resize, input_size
from dptools.errors import SampleError, SetupError, UsageError

TOKEN = "OIP_TOKEN"
"""Environment variable with the bearer token (RFC 6750) for the server; none is sent if it is unset or empty."""

MAX_CLASSES = 1_000_000
"""Largest number of classes. A description with more is an error."""

DEFAULT_SIZE = 224
"""Side of the input in pixels, for a model that accepts any size."""


def load(name: str, options: ClassifierOptions) -> RemoteClassifier:
    """Load a model behind the Open Inference Protocol, with the tensors that the server describes.

    Raises:
        UsageError: the name is malformed, or one of its options does not fit the model.
        SetupError: the server cannot be reached, or the model does not exist or takes no images.
    """
    address = parse(name)
    token = os.environ.get(TOKEN, "").strip()
    service = Service(address.server, options.timeout, f"Bearer {token}" if token else "")
    try:
        description = check_reply(service, service.ask(address.path))
        model = _describe(service, address, description)
    except SampleError as error:
        raise SetupError(f"{name}: {service.sanitize(error.message)}") from None
    except UsageError as error:  # its message lists tensor names that the server sent
        raise UsageError(service.sanitize(error)) from None
    if model.layout.eight_bit and (address.mean, address.std) != (Address.mean, Address.std):
        raise UsageError(f"{name}: its input is {model.input.datatype}, which mean and std do not apply to")
    return RemoteClassifier(
        RemoteNetwork(service.host, model.logits),
        name=name,
        weights=f"version {versions(service, description)}",
        classes=numbered(model.class_count),
        geometry=_geometry(address, model.layout, name),
        mean=address.mean,
        std=address.std,
    )


@dataclass(frozen=True)
class Model:
    """A model on a server, with its path there, its image and its score tensor, and the form of images.

    Attributes:
        class_count: number of classes; 0 if it is not known yet.
    """

    service: Service
    path: str
    input: TensorType
    output: TensorType
    layout: Layout
    class_count: int

    def logits(self, image: Tensor) -> Tensor:
        """Return the scores, shape (classes,), of a normalised image, 3 x H x W.

        Scores that are probabilities are returned as their logarithms.

        Raises:
            SampleError: the server did not answer, refused the image, or sent a malformed reply.
        """
        tensor = {"name": self.input.name, "datatype": self.input.datatype, **self.layout.encode(image)}
        body = {"inputs": [tensor], "outputs": [{"name": self.output.name}]}
        reply = self.service.ask(f"{self.path}/infer", body)
        outputs = objects(check_reply(self.service, reply), "outputs")
        matches = [output for output in outputs if output.get("name") == self.output.name]
        if len(matches) != 1:
            name = self.service.sanitize(repr(self.output.name))
            raise SampleError("BadReply", f"{self.service.host} sent a reply without output {name}")
        return _to_logits(self._parse(matches[0]))

    def _parse(self, output: dict[str, Any]) -> Tensor:
        """Return the values of an output after checking their number and type."""
        shape, values = output.get("shape"), flatten(output.get("data"))
        tensor = self.service.sanitize(f"{self.output.name!r} of shape {shape}")
        reply = f"{self.service.host} sent {tensor} with {len(values)} values"
        if self.class_count and len(values) != self.class_count:
            raise SampleError("BadReply", f"{reply}, but the model has {self.class_count} classes")
        if not values or not is_shape(shape) or math.prod(shape) != len(values):
            raise SampleError("BadReply", reply)
        if not all(map(is_number, values)):
            raise SampleError("BadReply", f"{reply}, not all of them numbers")
        return torch.tensor(values, dtype=torch.float32)


def _describe(service: Service, address: Address, description: dict[str, Any]) -> Model:
    """Return the model that a description describes.

    If the description does not state the number of classes, one image is sent to determine it.

    Raises:
        SampleError: the model takes no image or returns no scores.
        UsageError: a tensor that the address names does not exist.
    """
    image = select(parse_tensors(description, "inputs"), address.input, "input")
    scores = select(parse_tensors(description, "outputs"), address.output, "output")
    if scores.datatype == "BYTES":
        raise SampleError("BadReply", f"its output {scores.name!r} has texts, not numbers")
    model = Model(service, address.path, image, scores, layout_of(image), _class_count(scores.shape))
    if not model.class_count:
        size = model.layout.size or DEFAULT_SIZE
        model = replace(model, class_count=len(model.logits(torch.zeros(3, size, size))))
    if model.class_count < 2:
        raise SampleError("BadReply", "its output has 1 class, and a classifier has 2 classes or more")
    if model.class_count > MAX_CLASSES:
        raise SampleError("BadReply", f"its output has {model.class_count} classes, more than {MAX_CLASSES}")
    return model


def _class_count(shape: tuple[int, ...]) -> int:
    """Return the product of the dimensions after the batch dimension; 0 if one of them is variable."""
    sides = shape[1:] or shape
    return math.prod(sides) if min(sides) > 0 else 0


def _geometry(address: Address, layout: Layout, name: str) -> Geometry:
    """Return the resizing for an address and a layout. Image files keep their size unless the address gives one.

    Raises:
        UsageError: the model of this name does not accept the size, or images would be smaller than the input.
    """
    if layout.file and not address.size and not address.resize:
        return KeepSize()
    size = input_size(layout.size, address.size or layout.size or DEFAULT_SIZE, name)
    return Geometry(resize=check_resize(address.resize or round(size * 256 / 224), size), crop=size)


def _to_logits(values: Tensor) -> Tensor:
    """Return the logarithms of the values if they are probabilities (not negative, sum 1), and otherwise the values."""
    is_distribution = values.min() >= 0 and abs(values.sum().item() - 1) < 0.01
    return values.clamp_min(1e-12).log() if is_distribution else values
