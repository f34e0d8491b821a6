"""The names that options take, for shells to complete."""

from collections.abc import Callable, Iterable

from dptools.attacks.registry import ATTACKS
from dptools.classifiers.names import BUNDLED, KINDS
from dptools.cli.engines import ENGINES
from dptools.detection.detector import DETECTORS
from dptools.maps.names import FORMATS, READERS
from dptools.maps.names import RULES as MAP_RULES
from dptools.pipe.sniff import InputFormat
from dptools.purifiers.dip.networks import NETWORKS
from dptools.purifiers.dip.presets import LOSS_NAMES, PRECISIONS, PRESETS
from dptools.purifiers.dip.rules import RULES
from dptools.purifiers.filters.registry import FORMS
from dptools.tools.shared import LabelFrom


def _attacks() -> Iterable[str]:
    from dptools.attacks.classes import classes

    return [*ATTACKS, "all", *classes()]


def _models() -> Iterable[str]:
    from torchvision import models

    return [
        *BUNDLED,
        *(beginning for beginning, kind in KINDS.items() if kind.service),
        *models.list_models(module=models),
    ]


NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "--attack": _attacks,
    "--by": lambda: ("attack", "method"),
    "--detector": lambda: DETECTORS,
    "--device": lambda: ("auto", "cpu", "cuda"),
    "--engine": lambda: ENGINES,
    "--format": lambda: FORMATS,
    "--from": lambda: InputFormat,
    "--label-from": lambda: LabelFrom,
    "--loss": lambda: LOSS_NAMES,
    "--method": lambda: ("dip", *FORMS),
    "--model": _models,
    "--network": lambda: NETWORKS,
    "--precision": lambda: PRECISIONS,
    "--preset": lambda: PRESETS,
    "--reader": lambda: READERS,
    "--rule": lambda: MAP_RULES,
    "--stop": lambda: (form.rstrip("NT") for form in RULES),
    "--through": lambda: ("denoise", *(f"denoise:{preset}" for preset in PRESETS)),
}
"""By the long spelling of the option. A rule that takes a number ends with its colon."""
