"""The denoiser: a pretrained network, and the purifier that runs it in as many passes as the perturbation requires."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.purifiers.denoiser.settings import DENOISER, FAST, PERCEPTUAL, PHOTO, DenoiserSettings

if TYPE_CHECKING:
    from dptools.purifiers.denoiser.network import DenoiserUNet
    from dptools.purifiers.denoiser.purifier import Denoiser
    from dptools.purifiers.denoiser.weights import pretrained
else:
    __getattr__ = lazy(__name__, network=("DenoiserUNet",), purifier=("Denoiser",), weights=("pretrained",))

__all__ = [
    "DENOISER",
    "FAST",
    "PERCEPTUAL",
    "PHOTO",
    "Denoiser",
    "DenoiserSettings",
    "DenoiserUNet",
    "pretrained",
]
