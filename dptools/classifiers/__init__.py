"""Image classifiers, local and remote, behind one interface."""

from typing import TYPE_CHECKING

from dptools.classifiers.class_file import read_classes
from dptools.classifiers.classes import Classes, imagenet
from dptools.classifiers.names import BUNDLED, DEFAULT
from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.classifiers.classifier import Classifier, Geometry, check_finite
    from dptools.classifiers.label_map import LabelMap, read_label_map
    from dptools.classifiers.loading import load
    from dptools.classifiers.local.bundled import installed
    from dptools.classifiers.predictions import ClassProbabilities, Prediction, rank
else:
    __getattr__ = lazy(
        __name__,
        classifier=("Classifier", "Geometry", "check_finite"),
        label_map=("LabelMap", "read_label_map"),
        loading=("load",),
        **{"local.bundled": ("installed",)},
        predictions=("ClassProbabilities", "Prediction", "rank"),
    )

__all__ = [
    "BUNDLED",
    "DEFAULT",
    "ClassProbabilities",
    "Classes",
    "Classifier",
    "Geometry",
    "LabelMap",
    "Prediction",
    "check_finite",
    "imagenet",
    "installed",
    "load",
    "rank",
    "read_classes",
    "read_label_map",
]
