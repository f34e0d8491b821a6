"""Settings of the denoiser, without torch."""

from dataclasses import dataclass

from dptools.errors import check_name
from dptools.purifiers.denoiser.texture import Texture
from dptools.purifiers.precision import PRECISIONS


@dataclass(frozen=True)
class DenoiserSettings:
    """Settings of :class:`dptools.purifiers.denoiser.purifier.Denoiser`. :data:`DENOISER` holds the default.

    Attributes:
        passes: Number of passes through the network. Their outputs are averaged.
        noise_std: Standard deviation of the Gaussian noise that is added before each pass, on the [0, 1] scale.
        texture: Texture that is added to the averaged output; None for none.
        precision: ``auto``, ``fp32`` or ``bf16``.
        tile: Longest side of a tile in pixels. Larger images are denoised in tiles. 0 disables tiles.
    """

    passes: int = 8
    noise_std: float = 12 / 255
    texture: Texture | None = None
    precision: str = "auto"
    tile: int = 512

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)


DENOISER = DenoiserSettings(texture=Texture(share=0.4, shifted=10 / 255, grain=4 / 255))
"""Method ``denoiser``, the default of dp-denoise. It prepares images for classifiers.

- Network: :class:`dptools.purifiers.denoiser.network.DenoiserUNet` with the weights of the package.
- Output: the mean of 8 passes. Each pass adds fresh Gaussian noise of standard deviation 12/255 to the image.
- Texture: the removed part is the image minus the mean. Let s be its standard deviation divided by 20/255, limited to
  1. Two terms are added to the mean. The first is the removed part, multiplied by 0.4 * s. The second has the weight
  1 - s: it is the removed part, shifted by 5 pixels and clipped to 10/255, plus Gaussian grain with a standard
  deviation of at most 4/255.
- Tiles: an image with a side longer than 512 pixels is denoised in overlapping tiles of at most 512 pixels a side.
- Precision: bf16 if the CPU or the GPU has instructions that multiply bfloat16 numbers, otherwise fp32.
"""

PHOTO = DenoiserSettings(passes=1, noise_std=0.0)
"""Method ``photo``, for human viewers: one pass without noise, and no texture."""

DENOISER_SETTINGS = {"denoiser": DENOISER, "photo": PHOTO}
"""The settings of the methods by name."""
