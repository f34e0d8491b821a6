"""Models of Clarifai, the commercial service that the Deep Protection paper tried, through version 2 of its REST API.

Images go as base64, and concepts come back: names of what is seen, each with a probability of its own
(https://docs.clarifai.com; status codes under "API overview").
"""

import base64
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dptools.classifiers.answers import Answer, Concepts
from dptools.classifiers.classes import Classes, imagenet
from dptools.classifiers.classifier import Pixels
from dptools.classifiers.dictionary import Dictionary
from dptools.classifiers.names import ClassifierOptions
from dptools.classifiers.services.clarifai_status import check_status, checked, may_succeed
from dptools.classifiers.services.remote import Remote, RemoteClassifier, Whole
from dptools.classifiers.services.service import Service
from dptools.classifiers.services.tensors import png
from dptools.errors import SampleError, SetupError, UsageError
from dptools.texts import printable

PREFIX = "clarifai:"

ENDPOINT = "https://api.clarifai.com"

KEY = "CLARIFAI_PAT"
"""Environment variable with a personal access token; it is read from nowhere else."""

OWNER = "clarifai/main"
"""User and app of Clarifai's own models."""

MOST = 200
"""Concepts asked for: the most that are given."""


def load(name: str, given: ClassifierOptions) -> "Clarifai":
    """
    Args:
        name: ``clarifai:MODEL`` for one of Clarifai's own, ``clarifai:USER/APP/MODEL`` for any other.

    Raises:
        UsageError: the name is wrong.
        SetupError: there is no key, it is refused, the service cannot be reached, or has no such model.
    """
    path = _path(name)
    if not (key := os.environ.get(KEY, "").strip()):
        raise SetupError(f"{name}: put a personal access token into the environment variable {KEY}")
    service = Service(given.endpoint or ENDPOINT, given.timeout, f"Key {key}")
    try:
        model = checked(service, service.ask(path, again=may_succeed)).get("model")
    except SampleError as error:
        raise SetupError(f"{name}: {error.message}") from None
    described = model.get("model_version") if isinstance(model, dict) else None
    version = described.get("id") if isinstance(described, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"[\w-]+", version):
        raise SetupError(f"{name}: {service.host} describes no model of this name")
    return Clarifai(name, version, Asked(service, f"{path}/versions/{version}/outputs"))


@dataclass(frozen=True)
class Asked:
    """A model at Clarifai.

    Attributes:
        path: of its answers.
    """

    service: Service
    path: str

    def concepts(self, image: Tensor) -> list[tuple[str, float]]:
        """What an image, 3 x H x W in [0, 1], shows: names and probabilities.

        Raises:
            SampleError: the service did not answer, refused, or answered something else.
        """
        given = {"data": {"image": {"base64": base64.b64encode(png(image)).decode()}}}
        wanted = {"model_version": {"output_info": {"output_config": {"max_concepts": MOST}}}}
        reply = self.service.ask(self.path, {"inputs": [given], "model": wanted}, may_succeed)
        outputs = reply.content.get("outputs") if isinstance(reply.content, dict) else None
        one = outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else None
        if isinstance(one, dict) and "status" in one:  # it says more of the image than the reply's own: "mixed"
            check_status(self.service, one["status"], reply.status)
        checked(self.service, reply)
        data = one.get("data") if isinstance(one, dict) else None
        found = data.get("concepts", None if data else []) if isinstance(data, dict) else None
        if not isinstance(found, list):
            raise self._wrong()
        return [self._concept(each) for each in found]

    def _concept(self, found: Any) -> tuple[str, float]:
        name, value = (found.get(key) if isinstance(found, dict) else None for key in ("name", "value"))
        if not isinstance(name, str) or not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong()
        if not 0 <= value <= 1.001:
            raise self._wrong()
        return self.service.say(name), min(float(value), 1.0)

    def _wrong(self) -> SampleError:
        return SampleError("BadReply", f"{self.service.host} answered with something that is no list of concepts")


class Clarifai(RemoteClassifier):
    """A model at Clarifai as a classifier. Its classes are ImageNet's, as far as concepts have their names, and one
    more, the last, for all else that is seen."""

    def __init__(self, name: str, version: str, asked: Asked) -> None:
        known = imagenet()
        super().__init__(
            Remote(asked.service.host, self._scores),
            name=name,
            weights=version,
            classes=Classes(known.wnids, (*known.names, "something else")),
            geometry=Whole(),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )
        self.asked = asked

    def answers(self, images: Sequence[Pixels]) -> Sequence[Answer]:
        return [self._answer(self.tensor(pixels)[0].cpu()) for pixels in images]

    def _answer(self, image: Tensor) -> Concepts:
        return Dictionary({}).translate(self.asked.concepts(image))

    def _scores(self, image: Tensor) -> Tensor:
        """Logarithms of probabilities, for what wants a number for each class."""
        found = torch.full((len(self.classes),), 1e-6)
        for concept in self._answer(image).concepts:
            for index in concept.means or (len(found) - 1,):
                found[index] = max(found[index].item(), concept.p)
        return (found / found.sum()).log()


def _path(name: str) -> str:
    text = name.removeprefix(PREFIX)
    full = f"{OWNER}/{text}" if "/" not in text else text
    if not re.fullmatch(r"[\w.-]+/[\w.-]+/[\w.-]+", full, re.ASCII) or ".." in full:
        raise UsageError(f"model {printable(name)}: write {PREFIX}MODEL, or {PREFIX}USER/APP/MODEL")
    user, app, model = full.split("/")
    return f"v2/users/{user}/apps/{app}/models/{model}"
