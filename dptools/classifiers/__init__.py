"""Image classifiers behind one name: image -> class scores."""

from typing import TYPE_CHECKING

from dptools.classifiers.classes import Classes, imagenet
from dptools.classifiers.names import BUNDLED, DEFAULT
from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.classifiers.answers import Answer, Scores, rank
    from dptools.classifiers.classifier import Classifier, Geometry
    from dptools.classifiers.dictionary import Dictionary, read_dictionary
    from dptools.classifiers.loading import load
    from dptools.classifiers.local.bundled import installed
else:
    __getattr__ = lazy(
        __name__,
        answers=("Answer", "Scores", "rank"),
        **{"local.bundled": ("installed",)},
        classifier=("Classifier", "Geometry"),
        dictionary=("Dictionary", "read_dictionary"),
        loading=("load",),
    )

__all__ = [
    "BUNDLED",
    "DEFAULT",
    "Answer",
    "Classes",
    "Classifier",
    "Dictionary",
    "Geometry",
    "Scores",
    "imagenet",
    "installed",
    "load",
    "rank",
    "read_dictionary",
]
