"""The names that options take, for shells to complete."""

from collections.abc import Callable, Iterable

from dptools.attacks.registry import ATTACKS
from dptools.classifiers.names import BUNDLED, KINDS
from dptools.commands.engines import ENGINES
from dptools.filters.registry import FORMS
from dptools.maps.names import FORMATS, READERS
from dptools.maps.names import RULES as MAP_RULES
from dptools.pipe.sniff import Form
from dptools.prior.networks import NETWORKS
from dptools.prior.presets import LOSS_NAMES, PRECISIONS, PRESETS
from dptools.prior.rules import RULES
from dptools.stages.labels import LabelFrom
from dptools.stages.suspecting import DETECTORS


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
    "--from": lambda: Form,
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
