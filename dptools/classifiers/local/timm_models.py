"""The image classifiers of the package timm."""

import logging
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from torch import nn

from dptools.classifiers.classes import Classes, imagenet, numbered
from dptools.classifiers.classifier import Classifier
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.local.own import own_classifier
from dptools.classifiers.local.preprocessing import Preprocessing
from dptools.classifiers.names import TIMM, ClassifierOptions
from dptools.classifiers.sizes import WEIGHTS_HINT
from dptools.errors import SetupError, UsageError
from dptools.texts import did_you_mean


def load(name: str, options: ClassifierOptions) -> Classifier:
    """Load a classifier of timm with its published weights, which are downloaded at first use, or with a file.

    The preprocessing is that of timm's configuration of the model.

    Raises:
        UsageError: timm has no classifier of this name, or the published model has no classes.
        SetupError: timm is not installed, or the weights are not available or do not fit.
    """
    try:
        timm: Any = import_module("timm")
    except ImportError:
        raise SetupError(f"{name} needs timm: pip install 'deep-protection[timm]'") from None
    model = name.removeprefix(TIMM)
    if not timm.is_model(model):
        hint = did_you_mean(get_close_matches(model, timm.list_models(), n=3))
        raise UsageError(f"unknown model {name!r}{hint}: see timm.list_models() for the names that timm knows")
    network: Any = _from_file(timm, model, options) if options.weights else _published(timm, name, model)
    if options.size and hasattr(network, "set_input_size"):
        network.set_input_size(options.size)
    config = timm.data.resolve_model_data_config(network)
    fingerprint = weights_files.fingerprint_of(network)
    classes = None if options.weights else _classes(timm, network)
    return own_classifier(network, name, fingerprint, options, Preprocessing.of_timm(config, name), classes)


def _from_file(timm: Any, model: str, options: ClassifierOptions) -> nn.Module:
    path = options.path(options.weights or "")
    state = weights_files.read(path)
    network: nn.Module = timm.create_model(model, pretrained=False)
    default: int = getattr(network, "num_classes", 1000)
    if not default:  # The published weights have no classifier.
        default = 1000
        network = timm.create_model(model, pretrained=False, num_classes=default)
    count = weights_files.class_count(state, network.state_dict(), default)
    sized = {"img_size": options.size} if options.size and hasattr(network, "set_input_size") else {}
    if count != default or sized:
        network = timm.create_model(model, pretrained=False, num_classes=count, **sized)
    weights_files.fill(network, state, path)
    return network


def _published(timm: Any, name: str, model: str) -> nn.Module:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of each of its attempts
    try:
        network: nn.Module = timm.create_model(model, pretrained=True)
    except Exception as error:  # the hub's client raises exceptions of many types
        reason = " ".join(str(error).split())[:200]
        raise SetupError(
            f"{name}: its weights are not on this machine and cannot be downloaded ({type(error).__name__}: "
            f"{reason}); {WEIGHTS_HINT}"
        ) from None
    return network


def _classes(timm: Any, network: Any) -> Classes:
    """Return the classes of published weights: those of ImageNet, or of the larger set that it was taken from."""
    subset = timm.data.infer_imagenet_subset(network)
    if not subset or network.num_classes == len(imagenet()):
        return numbered(network.num_classes)
    info = timm.data.ImageNetInfo(subset)
    wnids = tuple(info.label_names())
    return Classes(wnids, tuple(info.label_name_to_description(wnid, detailed=False) for wnid in wnids))
