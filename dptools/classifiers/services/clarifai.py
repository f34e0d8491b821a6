"""Models of Clarifai, a commercial service that the Deep Protection paper tested.

Version 2 of Clarifai's REST API takes images in base64 and returns concepts: names with independent probabilities.
See https://docs.clarifai.com, and "API overview" there for the status codes.
"""

import base64
import os
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dptools.classifiers.classes import Classes, imagenet
from dptools.classifiers.classifier import Pixels
from dptools.classifiers.label_map import LabelMap
from dptools.classifiers.names import CLARIFAI, ClassifierOptions
from dptools.classifiers.predictions import ConceptPrediction, Prediction
from dptools.classifiers.services.clarifai_status import check_reply, check_status, is_retryable
from dptools.classifiers.services.remote import KeepSize, RemoteClassifier, RemoteNetwork, encode_png
from dptools.classifiers.services.service import Service
from dptools.errors import SampleError, SetupError, UsageError
from dptools.texts import printable

ENDPOINT = "https://api.clarifai.com"
"""Clarifai's base address."""

KEY = "CLARIFAI_PAT"
"""Environment variable with a personal access token. It is the only source of the token."""

OWNER = "clarifai/main"
"""User and app of Clarifai's own models."""

MAX_CONCEPTS = 200
"""Number of concepts to request: the largest number that Clarifai returns."""

MIN_PROBABILITY = 1e-6
"""Probability of a class that the service does not list, before normalisation."""


def load(name: str, options: ClassifierOptions) -> "ClarifaiClassifier":
    """Load a model of Clarifai.

    Args:
        name: ``clarifai:MODEL`` for one of Clarifai's own models, ``clarifai:USER/APP/MODEL`` for any other.
        options: the endpoint and the time limit.

    Raises:
        UsageError: the name is malformed.
        SetupError: the key is missing or refused, the service cannot be reached, or the model does not exist.
    """
    path = _path(name)
    if not (key := os.environ.get(KEY, "").strip()):
        raise SetupError(f"{name}: set the environment variable {KEY} to a personal access token of Clarifai")
    service = Service(options.endpoint or ENDPOINT, options.timeout, f"Key {key}")
    try:
        reply = service.ask(path, retryable=is_retryable)
        check_reply(service, reply)
    except SampleError as error:
        raise SetupError(f"{name}: {error.message}") from None
    match reply.content:
        case {"model": {"model_version": {"id": str(version)}}} if re.fullmatch(r"[\w-]+", version):
            return ClarifaiClassifier(name, version, service, f"{path}/versions/{version}/outputs")
    raise SetupError(f"{name}: {service.host} does not describe a model of this name")


class ClarifaiClassifier(RemoteClassifier):
    """A model of Clarifai.

    The classes are ImageNet's and ``something else``, which stands for every concept that has no ImageNet class's name.
    ``path`` is where images are sent to.
    """

    def __init__(self, name: str, version: str, service: Service, path: str) -> None:
        classes = imagenet()
        super().__init__(
            RemoteNetwork(service.host, self._logits),
            name=name,
            weights=version,
            classes=Classes(classes.wnids, (*classes.names, "something else")),
            geometry=KeepSize(),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )
        self.service, self.path = service, path

    def predict(self, images: Sequence[Pixels]) -> Sequence[Prediction]:
        """Return the concepts of each image."""
        return [self._concepts(self.tensor(pixels)[0].cpu()) for pixels in images]

    def _logits(self, image: Tensor) -> Tensor:
        """Return log-probabilities of the classes. Attacks need a score for each class."""
        probabilities = torch.full((len(self.classes),), MIN_PROBABILITY)
        for concept in self._concepts(image).concepts:
            for index in concept.indices or (len(probabilities) - 1,):
                probabilities[index] = max(probabilities[index].item(), concept.probability)
        return (probabilities / probabilities.sum()).log()

    def _concepts(self, image: Tensor) -> ConceptPrediction:
        """Send an image, 3 x H x W in [0, 1], and return its concepts.

        Raises:
            SampleError: the service did not answer, refused the image, or sent a malformed reply.
        """
        inputs = [{"data": {"image": {"base64": base64.b64encode(encode_png(image)).decode()}}}]
        model = {"model_version": {"output_info": {"output_config": {"max_concepts": MAX_CONCEPTS}}}}
        reply = self.service.ask(self.path, {"inputs": inputs, "model": model}, is_retryable)
        match reply.content:
            case {"outputs": [{"status": _} as output]}:  # more specific than the reply's own status
                check_status(self.service, output, reply.status)
        check_reply(self.service, reply)
        try:
            concepts = [(self.service.sanitize(name), value) for name, value in _parse_concepts(reply.content)]
        except ValueError:
            raise SampleError("BadReply", f"{self.service.host} sent a reply without a list of concepts") from None
        return LabelMap({}).translate(concepts)


def _parse_concepts(content: Any) -> list[tuple[str, float]]:
    """Return the names and probabilities in a reply; raise a ValueError if it is malformed."""
    match content:
        case {"outputs": [{"data": {"concepts": [*concepts]}}]}:
            return [_parse_concept(concept) for concept in concepts]
        case {"outputs": [{"data": {**data}}]} if not data:  # no concept was detected
            return []
    raise ValueError


def _parse_concept(concept: Any) -> tuple[str, float]:
    match concept:
        case {"name": str(name), "value": int() | float() as value} if not isinstance(value, bool):
            if 0 <= value <= 1.001:  # rounding errors of the service
                return name, min(float(value), 1.0)
    raise ValueError


def _path(name: str) -> str:
    """Return the path of a model's description."""
    text = name.removeprefix(CLARIFAI)
    full = f"{OWNER}/{text}" if "/" not in text else text
    if not re.fullmatch(r"[\w.-]+/[\w.-]+/[\w.-]+", full, re.ASCII) or ".." in full:
        raise UsageError(f"model {printable(name)}: write {CLARIFAI}MODEL or {CLARIFAI}USER/APP/MODEL")
    user, app, model = full.split("/")
    return f"v2/users/{user}/apps/{app}/models/{model}"
