"""Classifiers by their names: those that dptools brings along, and what is given besides a name."""

from dataclasses import dataclass
from pathlib import Path

BUNDLED = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
"""Input sizes in pixels a side, as published. The first comes with dptools, the others with its extra ``models``."""

DEFAULT = "efficientnet-lite0"

SERVICES = ("oip+", "clarifai:")
"""How the names of services begin."""


def is_service(name: str) -> bool:
    """The classifier of this name computes elsewhere."""
    return name.startswith(SERVICES)


@dataclass(frozen=True)
class Given:
    """What the user says of a classifier besides its name.

    Attributes:
        weights: a state dict on disk, in place of the published weights.
        endpoint: a service's base address, in place of its published one.
        timeout: seconds that a service has for an answer.
    """

    weights: Path | None = None
    endpoint: str | None = None
    timeout: float = 30.0
