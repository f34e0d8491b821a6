"""Any image classifier of torchvision, by its name there."""

import difflib
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

from PIL import Image

from dptools.classifiers.classes import imagenet, numbered
from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as files
from dptools.classifiers.names import BUNDLED, ClassifierOptions
from dptools.errors import SetupError, UsageError
from dptools.texts import did_you_mean


def load(name: str, given: ClassifierOptions) -> Classifier:
    """A torchvision classifier with its published default weights, or with a state dict on disk.

    Raises:
        UsageError: torchvision has no classifier of this name.
        SetupError: the weights cannot be had, or do not fit.
    """
    from torchvision import models

    weights = given.weights
    if name not in models.list_models(module=models):
        raise UsageError(_unknown(name, models.list_models(module=models)))
    published = models.get_model_weights(name).DEFAULT
    if weights is None:
        state, version, classes = _download(name, published), Path(published.url).stem, imagenet()
    else:
        state, version = files.read(weights), files.fingerprint(weights)
        classes = numbered(files.class_count(state))
    network = models.get_model(name, num_classes=len(classes), **_quiet(name))
    files.fill(network, state, weights or Path(published.url))
    return _classifier(network, published.transforms(), name=name, weights=version, classes=classes)


def _classifier(network: Any, preset: Any, **facts: Any) -> Classifier:
    geometry = Geometry(preset.resize_size[0], preset.crop_size[0], _RESAMPLING[preset.interpolation.value])
    return Classifier(network, geometry=geometry, mean=tuple(preset.mean), std=tuple(preset.std), **facts)


_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def _download(name: str, published: Any) -> files.StateDict:
    """The published weights, from torch's cache or, checked by their hash, from the network: once for all workers."""
    from filelock import FileLock
    from torch import hub

    folder = Path(hub.get_dir()) / "checkpoints"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            state: files.StateDict = published.get_state_dict(progress=False, check_hash=True)
            return state
    except (URLError, OSError, RuntimeError) as error:
        file = folder / os.path.basename(published.url)
        reason = getattr(error, "reason", error)
        raise SetupError(
            f"{name}: its weights are not on this machine and cannot be downloaded ({reason}); "
            f"put {file.name} into {folder}, or give a state dict with --weights FILE"
        ) from None


def _quiet(name: str) -> dict[str, Any]:
    """Inception and GoogLeNet would warn about their initialisation, and carry branches that only training needs."""
    return {"init_weights": False} if name in ("inception_v3", "googlenet") else {}


def _unknown(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, [*names, *BUNDLED], n=3)
    hint = did_you_mean(near)
    return f"unknown model {name!r}{hint}: choose {', '.join(BUNDLED)} or a torchvision classifier: {', '.join(names)}"
