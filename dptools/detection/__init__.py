"""Detection of adversarial images: whether other views of an image confirm the predicted class."""

from typing import TYPE_CHECKING

from dptools.detection.detector import DETECTORS, Detector, load_detector
from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.detection.scores import calibrated_score, disagreement_score
else:
    __getattr__ = lazy(__name__, scores=("calibrated_score", "disagreement_score"))

__all__ = ["DETECTORS", "Detector", "calibrated_score", "disagreement_score", "load_detector"]
