"""The pretrained weights that are part of the package."""

import hashlib
from functools import cache
from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor

from dptools.purifiers.denoiser.network import DenoiserUNet


def pretrained(name: str = "denoiser") -> DenoiserUNet:
    """Return the network with weights of the package, in fp32.

    Args:
        name: one of :data:`dptools.purifiers.denoiser.settings.WEIGHTS`.
    """
    with torch.device("meta"):  # skips the random initialisation, which the weights would replace at once
        network = DenoiserUNet()
    network.load_state_dict({key: value.float() for key, value in _weights(name).items()}, assign=True)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@cache
def fingerprint(name: str = "denoiser", *, int8: bool = False) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a weights file: by default the one in floating point."""
    return hashlib.sha256(stored(f"{name}.{'onnx' if int8 else 'safetensors'}")).hexdigest()[:16]


def stored(file: str) -> bytes:
    """Return the content of a file of this folder."""
    return files("dptools.purifiers.denoiser").joinpath(file).read_bytes()


@cache
def _weights(name: str) -> dict[str, Tensor]:
    return load(stored(f"{name}.safetensors"))
