"""Classifiers by their names: those that dptools brings along, and what is given besides a name."""

from dataclasses import dataclass
from pathlib import Path

BUNDLED = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
"""Input sizes in pixels a side, as published. The first comes with dptools, the others with its extra ``models``."""

DEFAULT = "efficientnet-lite0"


@dataclass(frozen=True)
class Kind:
    """Classifiers whose names begin alike.

    Attributes:
        module: what loads them, in this package: ``load(name, given)`` gives a Classifier.
        service: they compute elsewhere.
    """

    module: str
    service: bool = False


KINDS = {
    "efficientnet-lite": Kind("local.bundled"),
    "oip+": Kind("services.oip", service=True),
    "clarifai:": Kind("services.clarifai", service=True),
    "": Kind("local.zoo"),
}
"""By how the names begin; the first that fits is meant. A new kind is a module and a line here."""


def kind(name: str) -> Kind:
    """The kind of the classifier of this name."""
    return next(kind for beginning, kind in KINDS.items() if name.startswith(beginning))


def is_service(name: str) -> bool:
    """The classifier of this name computes elsewhere."""
    return kind(name).service


@dataclass(frozen=True)
class ClassifierOptions:
    """What the user says of a classifier besides its name.

    Attributes:
        weights: a state dict on disk, in place of the published weights.
        endpoint: a service's base address, in place of its published one.
        timeout: seconds that a service has for an answer.
    """

    weights: Path | None = None
    endpoint: str | None = None
    timeout: float = 30.0
