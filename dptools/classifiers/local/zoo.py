"""The image classifiers of torchvision."""

import difflib
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

from PIL import Image

from dptools.classifiers.classes import imagenet, numbered
from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.names import BUNDLED, ClassifierOptions
from dptools.errors import SetupError, UsageError
from dptools.texts import did_you_mean

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def load(name: str, options: ClassifierOptions) -> Classifier:
    """Load a torchvision classifier with its published default weights or a state dict file.

    Raises:
        UsageError: torchvision has no classifier of this name.
        SetupError: the weights are not available or do not fit.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise UsageError(_unknown(name, names))
    published = models.get_model_weights(name).DEFAULT
    if options.weights is None:
        state, version, classes = _download(name, published), Path(published.url).stem, imagenet()
    else:
        state, version = weights_files.read(options.weights), weights_files.fingerprint(options.weights)
        classes = numbered(weights_files.class_count(state))
    network = models.get_model(name, num_classes=len(classes), **_constructor_options(name))
    weights_files.fill(network, state, options.weights or Path(published.url))
    preset = published.transforms()
    return Classifier(
        network,
        name=name,
        weights=version,
        classes=classes,
        geometry=Geometry(preset.resize_size[0], preset.crop_size[0], _RESAMPLING[preset.interpolation.value]),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )


def _download(name: str, published: Any) -> weights_files.StateDict:
    """Return the published weights from torch's cache, or download them. A lock lets only one worker download."""
    from filelock import FileLock
    from torch import hub

    folder = Path(hub.get_dir()) / "checkpoints"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            state: weights_files.StateDict = published.get_state_dict(progress=False, check_hash=True)
            return state
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise SetupError(
            f"{name}: its weights are not on this machine and cannot be downloaded ({reason}); "
            f"put {os.path.basename(published.url)} into {folder}, or use a state dict file of your own as weights"
        ) from None


def _constructor_options(name: str) -> dict[str, Any]:
    """Disable the random initialisation of Inception and GoogLeNet, which is slow and warns."""
    return {"init_weights": False} if name in ("inception_v3", "googlenet") else {}


def _unknown(name: str, names: list[str]) -> str:
    hint = did_you_mean(difflib.get_close_matches(name, [*names, *BUNDLED], n=3))
    return f"unknown model {name!r}{hint}: choose {', '.join(BUNDLED)} or a torchvision classifier: {', '.join(names)}"
