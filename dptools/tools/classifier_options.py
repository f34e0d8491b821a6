"""The options of a classifier: from texts of the command line to :class:`ClassifierOptions`."""

from pathlib import Path

from dptools.classifiers.class_file import read_classes
from dptools.classifiers.names import RGB, ClassifierOptions, is_calibrated
from dptools.detection.calibration import Calibration
from dptools.errors import UsageError


def classifier_options(
    weights: Path | None,
    endpoint: str | None,
    timeout: float,
    classes: Path | None,
    size: int | None,
    resize: int | None,
    mean: str | None,
    std: str | None,
) -> ClassifierOptions:
    """Return the options, with the classes read from their file, and with the current directory for relative paths.

    Raises:
        UsageError: A value is malformed, or the file with the classes cannot be read.
    """
    named = None if classes is None else read_classes(classes)
    channels = _channels("--mean", mean), _channels("--std", std)
    return ClassifierOptions(weights, endpoint, timeout, named, size, resize, *channels, Path.cwd())


def _channels(option: str, text: str | None) -> RGB | None:
    """Return three numbers from a text such as ``.485,.456,.406``; one number stands for all three."""
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    values = values * 3 if len(values) == 1 else values
    if len(values) != 3 or not all(-10 <= value <= 10 for value in values):
        raise UsageError(f"{option} {text}: give three numbers for red, green and blue, such as .485,.456,.406")
    if option == "--std" and min(values) <= 0:
        raise UsageError(f"{option} {text}: give numbers above 0")
    red, green, blue = values
    return red, green, blue


def check_calibrated(option: str, model: str, options: ClassifierOptions, calibration: Calibration | None) -> None:
    """Check that the suspicion of a model is calibrated.

    Args:
        option: The option that needs the suspicion.
        model: The name of the model.
        options: The options of the model.
        calibration: The user's own calibration; None for the built-in one.

    Raises:
        UsageError: It is not. The message names the remedy.
    """
    if calibration is not None or is_calibrated(model, options):
        return
    changed = " with these options" if is_calibrated(model, ClassifierOptions()) else ""
    raise UsageError(
        f"{option}: the built-in calibration does not hold for {model}{changed}: measure one on a few hundred clean "
        "images with dp-classify --calibrate FILE and the same model options, then add --calibration FILE"
    )
