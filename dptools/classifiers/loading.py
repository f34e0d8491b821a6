"""From a classifier's name to the classifier."""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from dptools.classifiers.classifier import Classifier
from dptools.classifiers.names import ClassifierOptions, is_service, kind
from dptools.devices import exact_arithmetic, resolve_device
from dptools.errors import UsageError


class Loader(Protocol):
    """What the module of a kind of classifiers offers."""

    def load(self, name: str, given: ClassifierOptions) -> Classifier: ...


def load(
    name: str,
    weights: Path | None = None,
    device: str = "auto",
    *,
    endpoint: str | None = None,
    timeout: float = ClassifierOptions.timeout,
) -> Classifier:
    """A classifier, ready to use.

    Args:
        name: a bundled one (``efficientnet-lite0``), any torchvision classifier (``resnet18``), or a service:
            ``oip+https://HOST/v2/models/NAME``, ``clarifai:MODEL``.
        weights: a state dict on disk, in place of the published weights.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        endpoint: a service's base address, in place of its published one.
        timeout: seconds that a service has for an answer.

    Raises:
        UsageError: no classifier goes by this name.
        SetupError: its weights, the device or the service cannot be had; the message says how to get them.
    """
    where = resolve_device(device)
    if where.type == "cuda":
        exact_arithmetic()
    if weights and is_service(name):
        raise UsageError("--weights is for networks on this machine, and the model is a service")
    if endpoint and not is_service(name):
        raise UsageError("--endpoint is for services, and the model is a network on this machine")
    loader = cast(Loader, import_module(f"dptools.classifiers.{kind(name).module}"))
    return loader.load(name, ClassifierOptions(weights, endpoint, timeout)).to(where)
