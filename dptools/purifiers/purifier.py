"""The base class of purifiers, and functions that they share."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Purifier(nn.Module):
    """A module that maps images to purified images, for example in ``torch.nn.Sequential(purifier, classifier)``.

    Attributes:
        differentiable: whether gradients flow through it. If not, it rejects input that requires gradients.
        random: whether its output depends on the seeds.
    """

    differentiable = False
    random = False

    def forward(self, images: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Return purified images of the same shape, on the same device.

        Args:
            images: B x 3 x H x W, floating point, about in [0, 1]. The range is not checked.
            seeds: one seed per image. The random numbers of an image depend on its seed only. By default, seeds are
                drawn from torch's global generator.

        Raises:
            ValueError: wrong shape, type or number of seeds, or values that are not finite.
            RuntimeError: the images require a gradient, and the method has none.
        """
        check_images(images)
        if not self.differentiable and torch.is_grad_enabled() and images.requires_grad:
            raise RuntimeError(f"{type(self).__name__} has no gradient: detach its input, or use BPDA")
        chosen = draw_seeds(len(images)) if seeds is None else list(seeds)
        if len(chosen) != len(images):
            raise ValueError(f"expected one seed for each of {len(images)} images, got {len(chosen)}")
        return self.purify(images, chosen) if len(images) else images.clone()

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return purified images. Subclasses implement this method.

        Args:
            images: B x 3 x H x W, B > 0, already checked.
            seeds: one seed per image.
        """
        raise NotImplementedError


def check_images(images: Tensor) -> None:
    """Check shape, type and finiteness.

    Raises:
        ValueError: the images are not B x 3 x H x W finite floating-point values. The message states the actual ones.
    """
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(f"expected images of shape B x 3 x H x W, got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"expected floating-point images, got {images.dtype}; divide 8-bit values by 255")
    if not bool(images.isfinite().all()):
        raise ValueError("expected finite values, got NaN or infinity")


def draw_seeds(count: int) -> list[int]:
    """Return seeds from torch's global CPU generator."""
    seeds: list[int] = torch.randint(2**62, (count,)).tolist()
    return seeds


def grey_like(output: Tensor, image: Tensor) -> Tensor:
    """Return the output, 1 x 3 x H x W. If the three channels of the image are equal, average those of the output."""
    grey = bool((image == image[:, :1]).all())
    return output.mean(1, keepdim=True).expand_as(output).contiguous() if grey else output
