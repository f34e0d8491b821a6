"""Settings of zero-shot purification, without torch."""

from dataclasses import dataclass

from dptools.errors import check_name
from dptools.purifiers.precision import PRECISIONS
from dptools.purifiers.sign_settings import SignSteps

SIGN_STEPS = SignSteps(
    steps=2, levels=(3 / 255, 24 / 255), correlation=0.1, evidence=0.507, by_level=0.05, by_growth=0.0
)
"""The noise level grows after perturbations as much as after texture, so the growth does not count."""


@dataclass(frozen=True)
class ZeroShotSettings:
    """All that determines the result, besides the image and the seed.

    Attributes:
        iterations: number of training steps.
        noise_std: standard deviation of the noise that is added in training and in each pass, on the [0, 1] scale.
        learning_rate: Adam's largest learning rate.
        passes: number of passes of the trained network over the image, each with fresh noise. Their mean is the output.
        strong: the noise level from which a share of what the passes remove is added back, on the [0, 1] scale; see
            :func:`dptools.purifiers.texture.noise_level`. It contains texture, and losing texture harms a classifier
            more than weak noise does.
        share: that share, 0 to 1.
        sign_steps: number of sign steps, and the perturbations after which they are taken. The passes of a step use the
            trained network again.
        window: side of the random part of a larger image that a training step uses, in pixels.
        precision: ``auto``, ``fp32`` or ``bf16``.
        tile: longest side of a tile in a pass, in pixels; 0 for no tiles.
    """

    iterations: int = 60
    noise_std: float = 0.04
    learning_rate: float = 0.003
    passes: int = 4
    strong: float = 10 / 255
    share: float = 0.4
    sign_steps: SignSteps = SIGN_STEPS
    window: int = 256
    precision: str = "auto"
    tile: int = 512

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)


ZERO_SHOT = ZeroShotSettings()
"""Method ``zero-shot``."""
