"""The image classifiers of torchvision."""

import difflib
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from dptools.classifiers.classes import imagenet
from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.local.own import choose_classes, own_classifier
from dptools.classifiers.local.preprocessing import RESAMPLING, Preprocessing
from dptools.classifiers.names import BUNDLED, OWN, ClassifierOptions
from dptools.classifiers.sizes import WEIGHTS_HINT
from dptools.errors import SetupError, UsageError
from dptools.texts import did_you_mean


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
    path = options.path(options.weights) if options.weights else None
    if path is None:
        state, version, count = _download(name, published), Path(published.url).stem, len(imagenet())
    else:
        state, version = weights_files.read(path), weights_files.fingerprint(path)
        count = weights_files.class_count(state, _empty(name).state_dict())
    network = models.get_model(name, num_classes=count, **_constructor_options(name))
    weights_files.fill(network, state, path or Path(published.url))
    preset = published.transforms()
    geometry = Geometry(preset.resize_size[0], preset.crop_size[0], RESAMPLING[preset.interpolation.value])
    own = Preprocessing(geometry, tuple(preset.mean), tuple(preset.std))
    if options.size or options.resize:
        return own_classifier(network, name, version, options, own)
    return Classifier(
        network,
        name=name,
        weights=version,
        classes=choose_classes(options, count, name),
        **vars(own.changed(options)),
    )


def _empty(name: str) -> nn.Module:
    """Return the network with ImageNet's number of classes, without storage for its weights."""
    from torchvision import models

    with torch.device("meta"):
        network: nn.Module = models.get_model(name, **_constructor_options(name))
        return network


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
            f"put {os.path.basename(published.url)} into {folder}, or {WEIGHTS_HINT}"
        ) from None


def _constructor_options(name: str) -> dict[str, Any]:
    """Return what Inception and GoogLeNet need besides the number of classes.

    Their random initialisation is slow and warns. Their published weights expect an input that they normalise again,
    which torchvision enables only if it loads the weights itself.
    """
    return {"init_weights": False, "transform_input": True} if name in ("inception_v3", "googlenet") else {}


def _unknown(name: str, names: list[str]) -> str:
    similar = [*difflib.get_close_matches(name, BUNDLED, n=3), *difflib.get_close_matches(name, names, n=2)]
    hint = did_you_mean(similar)
    return (
        f"unknown model {name!r}{hint}: choose {', '.join(BUNDLED)}, {OWN}, or a torchvision classifier: "
        f"{', '.join(names)}"
    )
