"""Loading of classifiers by name."""

from collections.abc import Callable
from pathlib import Path

from dptools.classifiers.classifier import Classifier
from dptools.classifiers.local import bundled, zoo
from dptools.classifiers.names import CLARIFAI, OIP, ClassifierOptions, is_service
from dptools.devices import exact_arithmetic, resolve_device
from dptools.errors import UsageError


def _load_oip(name: str, options: ClassifierOptions) -> Classifier:
    from dptools.classifiers.services import oip  # imports httpx, which takes 0.1 s

    return oip.load(name, options)


def _load_clarifai(name: str, options: ClassifierOptions) -> Classifier:
    from dptools.classifiers.services import clarifai  # imports httpx, which takes 0.1 s

    return clarifai.load(name, options)


LOADERS: dict[str, Callable[[str, ClassifierOptions], Classifier]] = {
    "efficientnet-lite": bundled.load,
    OIP: _load_oip,
    CLARIFAI: _load_clarifai,
    "": zoo.load,
}
"""Functions that load a classifier, by the prefix of its name; the first matching prefix decides."""


def load(
    name: str,
    weights: Path | None = None,
    device: str = "auto",
    *,
    endpoint: str | None = None,
    timeout: float = ClassifierOptions.timeout,
) -> Classifier:
    """Load a classifier by name.

    Args:
        name: a bundled model (``efficientnet-lite0``), a torchvision classifier (``resnet18``), or a service
            (``oip+https://HOST/v2/models/NAME``, ``clarifai:MODEL``).
        weights: a state dict file to load instead of the published weights; local models only.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        endpoint: the base address to use instead of the service's own; Clarifai only.
        timeout: time limit for one reply of a service, in seconds.

    Returns:
        The classifier, in evaluation mode, on the device.

    Raises:
        UsageError: the name is unknown, or an option does not apply to the model.
        SetupError: the weights, the device or the service are not available. The message says what to do.
    """
    torch_device = resolve_device(device)
    if torch_device.type == "cuda":
        exact_arithmetic()
    if weights and is_service(name):
        raise UsageError(f"weights apply to local models only, and {name} is a service")
    if endpoint and not name.startswith(CLARIFAI):
        raise UsageError(f"an endpoint applies to {CLARIFAI}MODEL only, and the model is {name}")
    loader = next(loader for prefix, loader in LOADERS.items() if name.startswith(prefix))
    return loader(name, ClassifierOptions(weights, endpoint, timeout)).to(torch_device)
