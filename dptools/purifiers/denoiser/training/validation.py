"""Validation: PSNR on fixed images with fixed noise, the same in every run."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from dptools.purifiers.precision import autocast

SIGMAS = (15, 25, 50)
"""Standard deviations of Gaussian noise, in 1/255."""


def read_images(folder: Path, side: int = 256) -> Tensor:
    """Return the centres of all images of a folder, N x 3 x side x side in [0, 1].

    Raises:
        ValueError: the folder is empty.
    """
    crops = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as file:
            image = file.convert("RGB")
        left, top = ((length - side) // 2 for length in image.size)
        crops.append(np.asarray(image.crop((left, top, left + side, top + side))))
    if not crops:
        raise ValueError(f"{folder}: no images")
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def validate(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return the mean PSNR in dB by kind of noise. The noise is drawn on the CPU from a fixed seed.

    Args:
        network: maps noisy images, B x 3 x H x W, to denoised images.
        images: N x 3 x H x W in [0, 1], on the network's device.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=generator).to(images)
    chance = torch.rand(images.shape[0], 1, *images.shape[2:], generator=generator).to(images)
    other = torch.rand(images.shape, generator=generator).to(images)
    noisy = {f"gaussian:{sigma}": images + sigma / 255 * noise for sigma in SIGMAS}
    noisy["blended:0.3"] = torch.lerp(images, other, 0.3)
    noisy["impulses:0.1"] = torch.where(chance < 0.1, (chance < 0.05).float(), images)
    noisy["signs:4"] = images + 4 / 255 * noise.sign()
    noisy["clean"] = images
    return {name: _psnr(network, batch, images) for name, batch in noisy.items()}


def _psnr(network: nn.Module, noisy: Tensor, clean: Tensor) -> float:
    values = []
    for part, target in zip(torch.split(noisy, 8), torch.split(clean, 8), strict=True):
        with autocast(part.device, "auto"):
            output = network(part)
        error = (output.float().clamp(0, 1) - target).square().mean((1, 2, 3)).clamp(min=1e-10)
        values += (-10 * error.log10()).tolist()
    return round(sum(values) / len(values), 3)
