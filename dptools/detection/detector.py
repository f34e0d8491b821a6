"""Detectors of adversarial images."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dptools.classifiers.names import BUNDLED
from dptools.detection.calibration import Calibration
from dptools.errors import UsageError, check_name
from dptools.purifiers.filters import Filter, parse_filter

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.classifiers import Classifier
    from dptools.classifiers.classifier import Pixels

DETECTORS = ("both", "disagreement", "squeezing")
"""Names of the detectors.

``disagreement`` compares the classifier's prediction with predictions of other networks. ``squeezing`` compares it
with the classifier's predictions for changed images. ``both`` uses both kinds.
"""

SQUEEZING_FILTERS = ("bits:5", "median:3", "nlm")
"""The filters that feature squeezing uses for photographs (arXiv 1704.01155). A mirrored view is added to them."""


@dataclass(frozen=True)
class Detector:
    """A detector of adversarial images.

    >>> detector = load_detector("both", classifier)
    >>> detector(np.asarray(Image.open("image.png").convert("RGB")))  # 0.95 or more: suspicious

    Attributes:
        name: one of :data:`DETECTORS`.
        classifier: the classifier that may have been attacked.
        other_classifiers: networks with the same classes, each of which predicts one view.
        filters: filters for feature squeezing. If there are any, the mirrored image is a view, too.
        calibration: the distribution of the scores of clean images; None for that of the default classifier.
    """

    name: str
    classifier: "Classifier" = field(repr=False)
    other_classifiers: "tuple[Classifier, ...]" = field(default=(), repr=False)
    filters: tuple[Filter, ...] = ()
    calibration: Calibration | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the score depends on, besides the image and the classifier."""
        settings = {"detector": self.name, "models": [other.name for other in self.other_classifiers]}
        return {**settings, **({"calibration": self.calibration.fingerprint} if self.calibration else {})}

    def __call__(self, pixels: "Pixels", probabilities: "Tensor | None" = None) -> float:
        """Return the calibrated score of an image, in [0, 1].

        Args:
            pixels: the image, H x W x 3, uint8, of any size.
            probabilities: the classifier's prediction for it, shape (classes,); None to compute it.

        Raises:
            ValueError: the image has another shape or type.
        """
        from dptools.detection.scores import calibrated_score

        quantiles = self.calibration.quantiles if self.calibration else None
        return round(calibrated_score(self.name, self.disagreement(pixels, probabilities), quantiles), 4)

    def disagreement(self, pixels: "Pixels", probabilities: "Tensor | None" = None) -> float:
        """Return the disagreement score of an image, in [0, 1]; the arguments are those of the calibrated score."""
        from dptools.detection.scores import disagreement_score

        _check_pixels(pixels)
        if probabilities is None:
            probabilities = _predict(self.classifier, pixels)
        return disagreement_score(probabilities, list(self.views(self.classifier.geometry(pixels))))

    def views(self, pixels: "Pixels") -> "Iterator[Tensor]":
        """Yield the prediction of each view, shape (classes,).

        Args:
            pixels: the image after the classifier's own cropping, so that all views show the same content.
        """
        from dptools.purifiers.filters import apply

        for other in self.other_classifiers:
            yield _predict(other, _resize(pixels, other.geometry.crop))
        if self.filters:
            yield _predict(self.classifier, pixels[:, ::-1])
        for squeezing_filter in self.filters:
            yield _predict(self.classifier, apply(squeezing_filter, pixels))


def load_detector(
    name: str | None, classifier: "Classifier", device: str = "auto", calibration: Calibration | None = None
) -> Detector:
    """Load a detector.

    Args:
        name: one of :data:`DETECTORS`. None stands for the detector of the calibration, or else for ``both`` if another
            bundled network is installed and the classifier has ImageNet's classes, and otherwise for ``squeezing``.
        classifier: the classifier that may have been attacked.
        device: the device for other networks: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        calibration: the distribution of the scores of clean images; None for that of the default classifier.

    Raises:
        UsageError: the name is unknown, or other networks have classes different from the classifier's, or the
            calibration is that of another classifier or detector.
        SetupError: no other network is installed.
    """
    from dptools.classifiers import imagenet, installed, load

    comparable = classifier.classes == imagenet()
    others = [model for model in BUNDLED if model != classifier.name]
    available = [model for model in others if installed(model)]
    name = name or (str(calibration.detector.get("detector")) if calibration else None)
    name = check_name("detector", name or ("both" if comparable and available else "squeezing"), DETECTORS)
    if name != "squeezing" and not comparable:
        raise UsageError(f"detector {name} needs a classifier with ImageNet's 1,000 classes: choose squeezing")
    networks = [] if name == "squeezing" else available or others
    filters = () if name == "disagreement" else SQUEEZING_FILTERS
    other_classifiers = tuple(load(model, device=device) for model in networks)
    detector = Detector(name, classifier, other_classifiers, tuple(map(parse_filter, filters)), calibration)
    if calibration:
        calibration.check(classifier.params, detector.settings)
    return detector


def _check_pixels(pixels: "Pixels") -> None:
    shape: tuple[int, ...] = getattr(pixels, "shape", ())
    dtype = getattr(pixels, "dtype", type(pixels).__name__)
    if len(shape) != 3 or shape[2] != 3 or str(dtype) != "uint8":
        given = f"{dtype} of shape {tuple(shape)}" if shape else dtype
        raise ValueError(f"expected an image as a numpy array, H x W x 3, uint8; got {given}")


def _predict(classifier: "Classifier", pixels: "Pixels") -> "Tensor":
    return classifier.probabilities(classifier.tensor(pixels))[0]


def _resize(pixels: "Pixels", side: int) -> "Pixels":
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
