"""Checks of the arguments of :func:`dptools.attacks.perturb`."""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_images(images: Tensor) -> None:
    """Check that the images are B x 3 x H x W finite floats in [0, 1].

    Raises:
        TypeError: They are not a tensor.
        ValueError: They are not. The message states what was expected and what it got.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"images: expected a torch.Tensor, got {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images: expected shape B x 3 x H x W, got {' x '.join(map(str, images.shape)) or 'a scalar'}"
        )
    if images.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"images: expected dtype float32 or float64, got {str(images.dtype).removeprefix('torch.')}")
    if not images.isfinite().all():
        raise ValueError("images: expected finite values, got NaN or infinity")
    lowest, highest = (float(images.min()), float(images.max())) if images.numel() else (0.0, 1.0)
    if lowest < 0 or highest > 1:
        raise ValueError(f"images: expected values in [0, 1], got {lowest:g} to {highest:g}")


def check_classes(labels: Sequence[int], target: int | None, count: int) -> None:
    """Check that there is one label for each image, and that classes are not negative.

    Raises:
        ValueError: They are not.
    """
    if len(labels) != count:
        raise ValueError(f"labels: expected {count}, one for each image, got {len(labels)}")
    for name, value in [*(("labels", label) for label in labels), ("target", target)]:
        if value is not None and value < 0:
            raise ValueError(f"{name}: expected class indices from 0, got {value}")


def check_seeds(seeds: Sequence[int], count: int) -> None:
    """Check that there is one seed for each image, and that seeds are in range.

    Raises:
        ValueError: They are not.
    """
    if len(seeds) != count:
        raise ValueError(f"seeds: expected {count}, one for each image, got {len(seeds)}")
    if outside := [seed for seed in seeds if not 0 <= seed < 2**63]:
        raise ValueError(f"seeds: expected 0 <= seed < 2**63, got {outside[0]}")
