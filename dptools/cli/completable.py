"""List the names that options take, for shells to complete."""

from collections.abc import Callable, Iterable

from dptools.attacks.registry import ATTACKS, EPSILONS
from dptools.classifiers.names import BUNDLED, SERVICES, TIMM
from dptools.cli.engines import ENGINES
from dptools.detection.detector import DETECTORS
from dptools.evaluation import figure_options
from dptools.maps.choices import FORMATS, MASK_METHODS, READERS
from dptools.pipe.file_formats import LOSSLESS
from dptools.pipe.file_formats import NAMES as NAMES_OF_FORMATS
from dptools.pipe.sniff import InputFormat
from dptools.purifiers.dip.settings import LOSSES, NETWORKS
from dptools.purifiers.dip.stopping_names import CRITERIA
from dptools.purifiers.method import METHODS
from dptools.purifiers.precision import PRECISIONS
from dptools.tools.attack.defence import GRADIENTS
from dptools.tools.shared import LabelFrom


def _attacks() -> Iterable[str]:
    from dptools.attacks.foolbox_classes import foolbox_classes

    return [*ATTACKS, "all", *foolbox_classes()]


def _models() -> Iterable[str]:
    from torchvision import models

    return [*BUNDLED, TIMM, *SERVICES, *models.list_models(module=models)]


NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "--attack": _attacks,
    "--by": lambda: ("attack", "method"),
    "--detector": lambda: DETECTORS,
    "--device": lambda: ("auto", "cpu", "cuda", "mps"),
    "--engine": lambda: ENGINES,
    "--figure-format": lambda: figure_options.FORMATS,
    "--format": lambda: (name.partition("[")[0] for name in NAMES_OF_FORMATS),
    "--from": lambda: InputFormat,
    "--gradient": lambda: GRADIENTS,
    "--label-from": lambda: LabelFrom,
    "--loss": lambda: LOSSES,
    "--method": lambda: METHODS,
    "--model": _models,
    "--network": lambda: NETWORKS,
    "--norm": lambda: EPSILONS,
    "--precision": lambda: PRECISIONS,
    "--reader": lambda: READERS,
    "--rule": lambda: MASK_METHODS,
    "--stop": lambda: (form.rstrip("NT") for form in CRITERIA),
    "--style": lambda: figure_options.STYLE_NAMES,
    "--through": lambda: METHODS,
    "--transfer-from": lambda: BUNDLED,
    "attack --format": lambda: LOSSLESS,
    "mapsext --format": lambda: FORMATS,
}
"""Functions that list the values of an option, by its long spelling, after the name of a tool if the tools differ.

A value that ends in a colon takes an argument.
"""
