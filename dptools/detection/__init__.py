"""Detection of adversarial images: whether other views of an image confirm the predicted class."""

from typing import TYPE_CHECKING

from dptools.detection.calibration import Calibration, read_calibration
from dptools.detection.detector import DETECTORS, Detector, load_detector
from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.detection.scores import calibrated_score, disagreement_score
    from dptools.detection.watched_model import WatchedModel
else:
    __getattr__ = lazy(__name__, scores=("calibrated_score", "disagreement_score"), watched_model=("WatchedModel",))

__all__ = [
    "DETECTORS",
    "Calibration",
    "Detector",
    "WatchedModel",
    "calibrated_score",
    "disagreement_score",
    "load_detector",
    "read_calibration",
]
