"""Settings of the denoiser, without torch."""

from dataclasses import dataclass

from dptools.errors import check_name
from dptools.purifiers.denoiser.texture import Texture
from dptools.purifiers.precision import PRECISIONS


@dataclass(frozen=True)
class DenoiserSettings:
    """How an image is denoised.

    Attributes:
        passes: number of passes through the network, whose outputs are averaged.
        noise_std: standard deviation of the Gaussian noise that is added before each pass, on the [0, 1] scale.
        texture: texture that is added to the averaged output; None for none.
        precision: ``auto``, ``fp32`` or ``bf16``.
        tile: longest side of a tile in pixels. Larger images are denoised tile by tile; 0 for no tiles.
    """

    passes: int = 8
    noise_std: float = 12 / 255
    texture: Texture | None = None
    precision: str = "auto"
    tile: int = 512

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)


DENOISER = DenoiserSettings(texture=Texture(share=0.4, shifted=10 / 255, grain=4 / 255))
"""Method ``denoiser``, the default: intended for classifiers."""

PHOTO = DenoiserSettings(passes=1, noise_std=0.0)
"""Method ``photo``: intended for human viewers."""

DENOISER_SETTINGS = {"denoiser": DENOISER, "photo": PHOTO}
"""The settings of the methods by name."""
