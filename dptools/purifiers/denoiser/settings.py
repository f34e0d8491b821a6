"""Settings of the denoiser, without torch."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dptools.errors import check_name
from dptools.purifiers.contrast import NARROW
from dptools.purifiers.method import DEFAULT_STRENGTH, Method
from dptools.purifiers.precision import PRECISIONS, effective
from dptools.purifiers.sign_settings import NO_SIGN_STEPS, SIGN_STEPS, SignSteps

if TYPE_CHECKING:
    import torch

WEIGHTS = ("denoiser", "perceptual", "smoothing")
"""The weights of the package: ``perceptual`` are those of ``denoiser``, trained on with two classifiers; ``smoothing``
are those of ``perceptual``, trained on for strong Gaussian noise. See docs/weights.md."""

INT8_WEIGHTS = ("perceptual", "smoothing")
"""The weights that also exist in 8-bit integers, for CPUs."""


@dataclass(frozen=True)
class DenoiserSettings:
    """Settings of :class:`dptools.purifiers.denoiser.purifier.Denoiser`. :data:`FAST` holds the default method's.

    What the first pass removes decides how the image is treated. All numbers are on the [0, 1] scale.

    Attributes:
        noise_std: standard deviation of the Gaussian noise that is added before the first pass and before the last
            one of several.
        sign_steps: number of sign steps, and the perturbations after which they are taken.
        strong: the standard deviation of the removed part from which a pass needs no added noise, and a share of what
            that pass removes is added back, unless the perturbation is dense.
        share: that share, 0 to 1.
        narrow: range of values below which an image is stretched to [0, 1] first
            (:func:`dptools.purifiers.contrast.stretched`); 0 to leave the contrast.
        precision: ``auto``, ``fp32`` or ``bf16``. With INT8_WEIGHTS, ``auto`` is 8-bit integers on a CPU.
        tile: longest side of a tile in pixels. Larger images are denoised in tiles. 0 disables tiles.
        weights: one of WEIGHTS.
    """

    noise_std: float = DEFAULT_STRENGTH / 255
    sign_steps: SignSteps = SIGN_STEPS
    strong: float = 13 / 255
    share: float = 0.4
    narrow: float = NARROW
    precision: str = "auto"
    tile: int = 512
    weights: str = "denoiser"

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)
        check_name("weights", self.weights, WEIGHTS)

    def number_format(self, device: "torch.device") -> str:
        """Return ``fp32``, ``bf16`` or ``int8``: the number format of the network on a device, without gradients."""
        integers = self.weights in INT8_WEIGHTS and self.precision == "auto" and device.type == "cpu"
        return "int8" if integers else effective(device, self.precision)

    def facts(self, device: "torch.device") -> dict[str, str]:
        """Return what else an output depends on, for a cache key: number format and hash of the weights."""
        from dptools.purifiers.denoiser.weights import fingerprint

        precision = self.number_format(device)
        return {"precision": precision, "weights": fingerprint(self.weights, int8=precision == "int8")}


DENOISER = DenoiserSettings()
"""Method ``denoiser``. It prepares images for classifiers.

- Network: :class:`dptools.purifiers.denoiser.network.DenoiserUNet` with the weights of the package.
- First pass: Gaussian noise of standard deviation 12/255 is added to the image, and the network removes noise. The
  difference between the image and the output is the removed part. The noise level is 1.4826 times its median magnitude.
- Clean images and faint perturbations: the output of the first pass is the result.
- Noise level from 4.5/255 to 24/255, spread over the image, with correlated signs (dense perturbations, such as those
  of FGSM): three sign steps follow (:mod:`dptools.purifiers.sign_step`). Each subtracts the noise level from the values
  of the image that the pass before lowered, and adds it to those that it raised. The two passes between the steps add
  no noise. The last pass, with fresh noise, gives the result. If the first step makes the noise level grow too much, it
  comes from texture, and no further step follows.
- Standard deviation of the removed part from 13/255 otherwise (strong noise and impulse noise): the image is denoised
  without added noise. What this pass removes is clipped to twice its own noise level, and 40 % of it is added back:
  it contains texture, and losing texture harms a classifier more than weak noise does.
- Contrast: an image that uses less than half of the range of values is stretched first.
- Tiles: an image with a side longer than 512 pixels is denoised in overlapping tiles of at most 512 pixels a side. The
  noise level is that of the whole image.
- Precision: bf16 on a CPU with AMX and on a GPU that supports it, otherwise fp32.
"""

PHOTO = DenoiserSettings(noise_std=0.0, sign_steps=NO_SIGN_STEPS, strong=math.inf, narrow=0.0)
"""Method ``photo``, for human viewers: one pass without noise."""

PERCEPTUAL = replace(PHOTO, weights="perceptual")
"""Method ``perceptual``, for certification: one pass without noise.

The weights are those of ``denoiser``, trained on with a loss that compares the features of two classifiers (compare
arXiv 1603.08155). On a CPU, the network computes in 8-bit integers. Gradients are those of the network in fp32.
"""

FAST = replace(DENOISER, weights="perceptual", sign_steps=replace(SIGN_STEPS, evidence=-0.542))
"""Method ``fast``, the default: as ``denoiser``, but with the network of ``perceptual``."""

SMOOTHING = replace(PHOTO, weights="smoothing")
"""Method ``smoothing``, for certification: one pass without noise, for images with Gaussian noise, not clipped."""

_SETTINGS = {"denoiser": DENOISER, "photo": PHOTO, "perceptual": PERCEPTUAL, "fast": FAST, "smoothing": SMOOTHING}


def settings_of(method: Method) -> DenoiserSettings:
    """Return the settings of a method: a name of :data:`_SETTINGS`, or ``denoiser:STRENGTH``.

    With another strength than the default there are no sign steps: what tells a dense perturbation from texture was
    chosen for the default, and takes most photographs for a perturbation if the noise is strong.
    """
    settings = _SETTINGS[method.name]
    if method.strength in (None, DEFAULT_STRENGTH):
        return settings
    return replace(settings, noise_std=method.strength / 255, sign_steps=NO_SIGN_STEPS)
