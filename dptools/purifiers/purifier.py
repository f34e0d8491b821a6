"""What all purifiers have in common."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Purifier(nn.Module):
    """Image -> purified image; composes like any module: ``torch.nn.Sequential(purifier, classifier)``.

    Attributes:
        differentiable: gradients flow through it. Otherwise it raises where autograd would need them.
        random: its output depends on the seeds.
    """

    differentiable = False
    random = False

    def forward(self, images: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Return purified images of the same shape, on the same device.

        Args:
            images: B x 3 x H x W, floating point, about [0, 1]; the range is not checked.
            seeds: one for each image, which alone decides all that is random for this image; by default they are drawn
                from torch's global generator.

        Raises:
            ValueError: wrong shape, type or number of seeds, or values that are not finite.
            RuntimeError: a gradient is needed, and the method has none.
        """
        check_images(images)
        if not self.differentiable and torch.is_grad_enabled() and images.requires_grad:
            raise RuntimeError(f"{type(self).__name__} has no gradient: detach its input, or use BPDA")
        chosen = draw_seeds(len(images)) if seeds is None else list(seeds)
        if len(chosen) != len(images):
            raise ValueError(f"expected one seed for each of {len(images)} images, got {len(chosen)}")
        return self.purify(images, chosen) if len(images) else images.clone()

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return purified images; what subclasses implement.

        Args:
            images: B x 3 x H x W, B > 0, checked.
            seeds: one for each image.
        """
        raise NotImplementedError


def check_images(images: Tensor) -> None:
    """Check shape, type and finiteness.

    Raises:
        ValueError: the images are not B x 3 x H x W finite floating-point values; the message says what was given.
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
    """Return the output, 1 x 3 x H x W, with equal channels if those of the image are equal."""
    grey = bool((image == image[:, :1]).all())
    return output.mean(1, keepdim=True).expand_as(output).contiguous() if grey else output
