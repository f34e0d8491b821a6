"""Texture for what a restoration smoothed: a classifier misses it more than it minds that it is not the true one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

STRONG = 20 / 255
"""The standard deviation of noise from which on texture comes back at its place only."""

AWAY = 5
"""How far texture is moved, in pixels: far enough to be in step with nothing, near enough to be of the same kind."""

TO_DEVIATION = 1.4826
"""Times the median of absolute values: the standard deviation of normal noise, whatever outliers are among it."""


@dataclass(frozen=True)
class Texture:
    """What is added to a restored image.

    Texture is lost along with noise. Where the noise is strong, some of both is given back at its place. An adversarial
    perturbation is faint, and would be back, too; but it is one at its place only. So where little was taken off, it
    comes back a few pixels beside its place, and as random grain: as film grain is taken off a film, described, and
    made anew by the decoder (AV1 specification, section 7.18.3).

    Where little was taken off, little is added, and what is beyond two standard deviations of it is cut: a flat image
    stays nearly flat, and the black and white pixels of impulse noise stay away.

    Attributes:
        share: of what was taken off that comes back at its place, 0 to 1, under noise of STRONG or more.
        moved: the most that comes back beside its place, on the scale of [0, 1]; the less, the stronger the noise.
        grain: the standard deviation of random noise, at the most, on the same scale; likewise.
    """

    share: float = 0.0
    moved: float = 0.0
    grain: float = 0.0

    def added(self, image: "Tensor", output: "Tensor", generator: "Generator") -> "Tensor":
        """The output with texture.

        Args:
            image: as it was, 1 x 3 x H x W in [0, 1].
            output: what was made of it, of the same shape.
            generator: draws the grain, on the CPU.
        """
        import torch

        lost = image - output
        deviation = TO_DEVIATION * lost.abs().median()
        strong = (deviation / STRONG).clamp(max=1)
        lost = lost.clamp(-2 * deviation, 2 * deviation)
        beside = _moved(lost).clamp(-self.moved, self.moved)
        grain = torch.randn(image.shape, generator=generator).to(image) * (2 * deviation).clamp(max=self.grain)
        whole: Tensor = output + strong * self.share * lost + (1 - strong) * (beside + grain)
        return whole


def _moved(image: "Tensor") -> "Tensor":
    """An image AWAY pixels to the right and down, with its mirror image where it leaves; nothing of a tiny one."""
    from torch.nn.functional import pad

    height, width = image.shape[-2:]
    if min(height, width) <= AWAY:
        return image.new_zeros(image.shape)
    return pad(image, (AWAY, 0, AWAY, 0), mode="reflect")[..., :height, :width]
