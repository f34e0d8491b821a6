"""Image classifiers behind one name: image -> class scores."""

from typing import TYPE_CHECKING

from dptools.classifiers.classes import Classes, imagenet
from dptools.classifiers.names import BUNDLED, DEFAULT
from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.classifiers.classifier import Classifier, Geometry, rank
    from dptools.classifiers.loading import load
else:
    __getattr__ = lazy(__name__, classifier=("Classifier", "Geometry", "rank"), loading=("load",))

__all__ = ["BUNDLED", "DEFAULT", "Classes", "Classifier", "Geometry", "imagenet", "load", "rank"]
