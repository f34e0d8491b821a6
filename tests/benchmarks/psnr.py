"""Measure the PSNR of method `photo` under Gaussian noise, on test sets such as CBSD68, Kodak24 and McMaster.

Each directory holds the clean images of a test set. The noise is drawn once from a fixed seed. It is added without
clipping, as most publications do, and also clipped and rounded to 8 bits, as in a file. Use the figures to report, not
to choose settings.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dptools.purifiers import load


def psnr(output: Tensor, clean: Tensor) -> float:
    """Return the PSNR in dB of an image, limited to [0, 1], against the clean image."""
    return float(-10 * (output.clamp(0, 1) - clean).square().mean().log10())


def main() -> None:
    """Print one line per test set and noise level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directories", type=Path, nargs="+")
    parser.add_argument("--sigma", type=float, nargs="+", default=[15, 25, 50])
    parser.add_argument("--method", default="photo")
    options = parser.parse_args()
    purify = load(options.method)
    for directory in options.directories:
        paths = sorted(path for path in directory.iterdir() if path.is_file())
        found = np.zeros((len(paths), len(options.sigma), 2))
        for index, path in enumerate(paths):
            clean = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
            generator = torch.Generator().manual_seed(index)
            for column, sigma in enumerate(options.sigma):
                noisy = clean + sigma / 255 * torch.randn(clean.shape, generator=generator)
                stored = (noisy.clamp(0, 1) * 255).round() / 255
                with torch.no_grad():
                    found[index, column] = [psnr(purify(image, seeds=[0]), clean) for image in (noisy, stored)]
        for sigma, (unclipped, clipped) in zip(options.sigma, found.mean(0), strict=True):
            name = f"{directory.name}, {len(paths)} images, sigma {sigma:g}"
            print(f"{name}: {unclipped:.2f} dB, clipped to 8 bits {clipped:.2f} dB", flush=True)


if __name__ == "__main__":
    main()
