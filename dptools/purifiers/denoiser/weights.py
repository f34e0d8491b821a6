"""The pretrained weights that are part of the package."""

import hashlib
from functools import cache
from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor

from dptools.purifiers.denoiser.network import DenoiserUNet


def pretrained() -> DenoiserUNet:
    """Return the network with the package's weights, in fp32."""
    with torch.device("meta"):  # skips the random initialisation, which the weights would replace at once
        network = DenoiserUNet()
    network.load_state_dict({name: value.float() for name, value in _weights().items()}, assign=True)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@cache
def fingerprint() -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the weights file."""
    return hashlib.sha256(_stored()).hexdigest()[:16]


@cache
def _weights() -> dict[str, Tensor]:
    return load(_stored())


def _stored() -> bytes:
    return files("dptools.purifiers.denoiser").joinpath("weights.safetensors").read_bytes()
