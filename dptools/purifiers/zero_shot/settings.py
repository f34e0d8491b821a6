"""Settings of zero-shot purification, without torch."""

from dataclasses import dataclass

from dptools.errors import check_name
from dptools.purifiers.precision import PRECISIONS


@dataclass(frozen=True)
class ZeroShotSettings:
    """All that determines the result, besides the image and the seed.

    Attributes:
        iterations: number of training steps.
        noise_std: standard deviation of the noise that is added in training and in each pass, on the [0, 1] scale.
        learning_rate: Adam's largest learning rate.
        passes: number of passes of the trained network over the image, each with fresh noise. Their mean is the output.
        sign_steps: number of sign steps for a dense perturbation (:func:`dptools.purifiers.sign_step.sign_step`).
        dense: smallest and largest noise level of a dense perturbation, on the [0, 1] scale.
        correlation: smallest correlation of its signs (:func:`dptools.purifiers.sign_step.sign_correlation`).
        strong: the noise level from which a share of what the passes remove is added back, on the [0, 1] scale; see
            :func:`dptools.purifiers.texture.noise_level`. It contains texture, and losing texture harms a classifier
            more than weak noise does.
        share: that share, 0 to 1.
        window: side of the random part of a larger image that a training step uses, in pixels.
        precision: ``auto``, ``fp32`` or ``bf16``.
        tile: longest side of a tile in a pass, in pixels; 0 for no tiles.
    """

    iterations: int = 60
    noise_std: float = 0.04
    learning_rate: float = 0.003
    passes: int = 4
    sign_steps: int = 2
    dense: tuple[float, float] = (4 / 255, 24 / 255)
    correlation: float = 0.1
    strong: float = 10 / 255
    share: float = 0.4
    window: int = 256
    precision: str = "auto"
    tile: int = 512

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)


ZERO_SHOT = ZeroShotSettings()
"""Method ``zero-shot``."""
