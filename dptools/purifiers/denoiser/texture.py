"""Texture for denoised images.

Missing texture lowers the accuracy of a classifier more than inexact texture does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

STRONG = 20 / 255
"""If the removed part has this standard deviation or more, it is added back only in place, not shifted."""

SHIFT = 5
"""Pixels by which texture is shifted.

The shift destroys an adversarial pattern, but is small enough that the texture still matches its surroundings.
"""

MAD_TO_STD = 1.4826
"""The standard deviation of normal noise divided by its median absolute deviation."""


@dataclass(frozen=True)
class Texture:
    """The texture that is added to a denoised image.

    Denoising removes texture together with noise. If the noise of the image is strong, a share of the removed part is
    added back in place. If the noise is weak, the removed part may be an adversarial perturbation. A perturbation is
    harmless elsewhere in the image, so the removed part is added back a few pixels away, together with random grain.
    Between the extremes, both are mixed. Video decoders synthesise film grain in a similar way (AV1 specification,
    section 7.18.3).

    The amount grows with the removed part, so a flat image stays nearly flat. Values beyond two standard deviations are
    clipped, so black and white pixels of impulse noise do not come back.

    Attributes:
        share: fraction of the removed part that is added back in place under strong noise, 0 to 1.
        shifted: largest magnitude of the shifted part, on the [0, 1] scale; less under stronger noise.
        grain: largest standard deviation of the grain, on the [0, 1] scale; less under stronger noise.
    """

    share: float = 0.0
    shifted: float = 0.0
    grain: float = 0.0

    def add(self, image: "Tensor", output: "Tensor", generator: "Generator") -> "Tensor":
        """Return the output with texture. Values may leave [0, 1].

        Args:
            image: before denoising, 1 x 3 x H x W in [0, 1].
            output: after denoising, of the same shape.
            generator: generator of the grain, on the CPU.
        """
        import torch

        removed = image - output
        deviation = MAD_TO_STD * removed.abs().median()
        strong = (deviation / STRONG).clamp(max=1)
        removed = removed.clamp(-2 * deviation, 2 * deviation)
        displaced = _shifted(removed).clamp(-self.shifted, self.shifted)
        grain = torch.randn(image.shape, generator=generator).to(image) * (2 * deviation).clamp(max=self.grain)
        textured: Tensor = output + strong * self.share * removed + (1 - strong) * (displaced + grain)
        return textured


def _shifted(image: "Tensor") -> "Tensor":
    """Return an image shifted right and down by SHIFT, reflected at the border; zeros for a tiny image."""
    from torch.nn.functional import pad

    height, width = image.shape[-2:]
    if min(height, width) <= SHIFT:
        return image.new_zeros(image.shape)
    return pad(image, (SHIFT, 0, SHIFT, 0), mode="reflect")[..., :height, :width]
