"""dp-classify's suspicion: second looks at what the classifier saw."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.classifiers.names import BUNDLED
from dptools.errors import UsageError, check_name
from dptools.pipe.record import Record
from dptools.purifiers.filters import Filter, parse_filter

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.classifiers import Classifier
    from dptools.pipe.sample import Pixels

DETECTORS = ("both", "disagreement", "squeezing")

SQUEEZERS = ("bits:5", "median:3", "nlm")
"""The filters of feature squeezing for photographs (arXiv 1704.01155), beside which the mirrored image is looked at."""


@dataclass(frozen=True)
class Detector:
    """A detector, ready.

    Attributes:
        name: one of :data:`DETECTORS`.
        classifier: what attacks are aimed at.
        others: networks that give a second opinion.
        squeezers: filters that the image goes through; where there are any, it is mirrored, too.
    """

    name: str
    classifier: "Classifier"
    others: "tuple[Classifier, ...]" = ()
    squeezers: tuple[Filter, ...] = ()

    @property
    def facts(self) -> Record:
        """All that determines a suspicion besides the image and the classifier."""
        return {"detector": self.name, "models": [other.name for other in self.others]}

    def __call__(self, pixels: "Pixels", seen: "Tensor") -> float:
        """The suspicion of an image that made the classifier see these probabilities."""
        from dptools.detection import doubt, suspicion

        return round(suspicion(self.name, doubt(seen, list(self.looks(self.classifier.geometry(pixels))))), 4)

    def looks(self, pixels: "Pixels") -> "Iterator[Tensor]":
        """Probabilities of each second look, at what the classifier sees of the image and nothing else."""
        from dptools.purifiers.filters import apply

        for other in self.others:
            yield _look(other, _scaled(pixels, other.geometry.crop))
        if self.squeezers:
            yield _look(self.classifier, pixels[:, ::-1])
        for squeezer in self.squeezers:
            yield _look(self.classifier, apply(squeezer, pixels))


def detector(name: str | None, classifier: "Classifier", device: str) -> Detector:
    """The detector of this name; of none, the best for which all is there.

    Raises:
        UsageError: there is none of this name, or the classifier's classes are not those of the other networks.
        SetupError: another network is not installed.
    """
    from dptools.classifiers import imagenet, installed, load

    known = len(classifier.classes) == len(imagenet())
    rest = [other for other in BUNDLED if other != classifier.name]
    there = [other for other in rest if installed(other)]
    chosen = check_name("detector", name or ("both" if known and there else "squeezing"), DETECTORS)
    if chosen != "squeezing" and not known:
        raise UsageError(f"--detector {chosen} asks networks that know other classes: choose squeezing")
    others = tuple(load(other, device=device) for other in there or rest) if chosen != "squeezing" else ()
    squeezers = tuple(map(parse_filter, SQUEEZERS)) if chosen != "disagreement" else ()
    return Detector(chosen, classifier, others, squeezers)


def _look(classifier: "Classifier", pixels: "Pixels") -> "Tensor":
    return classifier.probabilities(classifier.tensor(pixels))[0]


def _scaled(pixels: "Pixels", side: int) -> "Pixels":
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
