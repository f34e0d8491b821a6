"""The sizes of images on their way to a network."""

from dptools.errors import UsageError

SIZE_HINT = "give the side of its input in pixels, --size N (size=N in Python)"
"""What to do if the size of an input is unknown, for error messages."""

WEIGHTS_HINT = "give a state dict file of your own, --weights FILE (weights=FILE in Python)"
"""What to do if published weights cannot be had, for error messages."""


def input_size(fixed: int | None, requested: int | None, name: str) -> int:
    """Return the side of a network's input, in pixels.

    Args:
        fixed: the only side that the network accepts; None if it accepts any.
        requested: the side that the user gave; None for none.
        name: the name of the model, for error messages.

    Raises:
        UsageError: the side is unknown, or the network does not accept the user's.
    """
    size = fixed or requested
    if size is None:
        raise UsageError(f"{name} accepts any input size: {SIZE_HINT}")
    if requested not in (None, size):
        raise UsageError(f"{name} accepts images of {size} x {size} pixels only, not {requested}")
    return size


def check_resize(resize: int, size: int) -> int:
    """Return ``resize``, the length of the shorter side before a square of ``size`` x ``size`` pixels is cropped.

    Raises:
        UsageError: images would be smaller than the square.
    """
    if resize < size:
        raise UsageError(f"images resized to {resize} pixels are smaller than the input of {size} pixels")
    return resize
