"""From a classifier's name to the classifier."""

from pathlib import Path

from dptools.classifiers import bundled, zoo
from dptools.classifiers.classifier import Classifier
from dptools.classifiers.names import BUNDLED
from dptools.devices import exact_arithmetic, resolve_device


def load(name: str, weights: Path | None = None, device: str = "auto") -> Classifier:
    """A classifier, ready to use.

    Args:
        name: a bundled one (``efficientnet-lite0``) or any torchvision classifier (``resnet18``).
        weights: a state dict on disk, in place of the published weights.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: no classifier goes by this name.
        SetupError: its weights or the device cannot be had; the message says how to get them.
    """
    where = resolve_device(device)
    if where.type == "cuda":
        exact_arithmetic()
    classifier = bundled.load(name, weights) if name in BUNDLED else zoo.load(name, weights)
    return classifier.to(where)
