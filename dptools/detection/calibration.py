"""Calibrations of the disagreement score, measured on the user's clean images, in small JSON files."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dptools.detection.quantiles import QUANTILE_LEVELS
from dptools.errors import DptoolsError, UsageError

FORMAT = "dptools suspicion calibration 1"
"""Identifies the files and the version of their format."""

MIN_IMAGES = 20
"""Smallest number of images. With fewer, not even one of them is expected to have a suspicion of 0.95."""


@dataclass(frozen=True)
class Calibration:
    """The distribution of the disagreement score of clean images, for one model and one detector.

    Attributes:
        path: the file, for messages.
        classifier: what predictions of the model depend on, as in :attr:`dptools.classifiers.Classifier.params`.
        detector: the settings of the detector.
        images: number of clean images.
        quantiles: the score at each of QUANTILE_LEVELS, not decreasing.
        fingerprint: the first 16 hexadecimal digits of the SHA-256 of the quantiles.
    """

    path: Path
    classifier: Mapping[str, Any]
    detector: Mapping[str, Any]
    images: int
    quantiles: tuple[float, ...]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self.quantiles).encode()).hexdigest()[:16]

    def check(self, classifier: Mapping[str, Any], detector: Mapping[str, Any]) -> None:
        """Check that the calibration was measured with this classifier and this detector.

        Raises:
            UsageError: it was measured with others.
        """
        for mine, other in ((self.classifier, classifier), (self.detector, detector)):
            for key in sorted({*mine, *other} - {"model", "classes", "calibration"}):
                if mine.get(key) != (given := json.loads(json.dumps(other.get(key)))):
                    raise UsageError(
                        f"calibration {self.path} was measured for {self.classifier.get('model')} with {key} "
                        f"{mine.get(key)}, and not {given}: measure it again"
                    )


def measure(scores: Iterable[float], classifier: Mapping[str, Any], detector: Mapping[str, Any]) -> str:
    """Return the content of a calibration file.

    Args:
        scores: the disagreement score of each clean image, in [0, 1].
        classifier: what predictions of the model depend on.
        detector: the settings of the detector.

    Raises:
        DptoolsError: there are fewer than MIN_IMAGES scores.
    """
    import numpy as np

    ordered = sorted(score for score in scores if math.isfinite(score))
    if len(ordered) < MIN_IMAGES:
        raise DptoolsError(
            f"a calibration needs {MIN_IMAGES} clean images or more, better a few hundred, and got {len(ordered)}"
        )
    # Of new clean images, a share of 1 - level scores higher than these quantiles, also if there are few images. With
    # Numpy's default method and 20 images, 9 % of new ones would have a suspicion of 0.95 or more.
    inner = [round(float(score), 6) for score in np.quantile(ordered, QUANTILE_LEVELS[1:-1], method="weibull")]
    content = {
        "format": FORMAT,
        "images": len(ordered),
        "classifier": dict(classifier),
        "detector": dict(detector),
        "levels": list(QUANTILE_LEVELS),
        "quantiles": [0.0, *inner, 1.0],
    }
    return json.dumps(content, indent=1) + "\n"


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        UsageError: the file cannot be read, or is no calibration.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"calibration {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not _is_valid(content):
        raise UsageError(f"calibration {path}: not a file that dp-classify --calibrate wrote")
    return Calibration(
        path, content["classifier"], content["detector"], content["images"], tuple(map(float, content["quantiles"]))
    )


def _is_valid(content: Mapping[str, Any]) -> bool:
    quantiles = content.get("quantiles")
    return (
        content.get("levels") == list(QUANTILE_LEVELS)
        and isinstance(quantiles, list)
        and len(quantiles) == len(QUANTILE_LEVELS)
        and all(isinstance(value, int | float) and 0 <= value <= 1 for value in quantiles)
        and quantiles == sorted(quantiles)
        and isinstance(content.get("classifier"), dict)
        and isinstance(content.get("detector"), dict)
        and isinstance(content.get("images"), int)
    )
