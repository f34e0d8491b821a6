"""The names that options take, for shells to complete."""

from collections.abc import Callable, Iterable

from dptools.attacks.registry import ATTACKS
from dptools.classifiers.names import BUNDLED, SERVICES
from dptools.cli.engines import ENGINES
from dptools.detection.detector import DETECTORS
from dptools.maps.names import FORMATS, READERS
from dptools.maps.names import RULES as MAP_RULES
from dptools.pipe.sniff import InputFormat
from dptools.purifiers.dip.settings import LOSSES, NETWORKS
from dptools.purifiers.dip.stopping_names import CRITERIA
from dptools.purifiers.method import METHODS
from dptools.purifiers.precision import PRECISIONS
from dptools.tools.shared import LabelFrom


def _attacks() -> Iterable[str]:
    from dptools.attacks.classes import classes

    return [*ATTACKS, "all", *classes()]


def _models() -> Iterable[str]:
    from torchvision import models

    return [*BUNDLED, *SERVICES, *models.list_models(module=models)]


NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "--attack": _attacks,
    "--by": lambda: ("attack", "method"),
    "--detector": lambda: DETECTORS,
    "--device": lambda: ("auto", "cpu", "cuda"),
    "--engine": lambda: ENGINES,
    "--format": lambda: FORMATS,
    "--from": lambda: InputFormat,
    "--label-from": lambda: LabelFrom,
    "--loss": lambda: LOSSES,
    "--method": lambda: METHODS,
    "--model": _models,
    "--network": lambda: NETWORKS,
    "--precision": lambda: PRECISIONS,
    "--reader": lambda: READERS,
    "--rule": lambda: MAP_RULES,
    "--stop": lambda: (form.rstrip("NT") for form in CRITERIA),
    "--through": lambda: METHODS,
}
"""By the long spelling of the option. A rule that takes a number ends with its colon."""
