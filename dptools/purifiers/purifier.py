"""The base class of purifiers, and functions that they share."""

import operator
from collections.abc import Sequence

import torch
from torch import Tensor, nn

MAX_MEAN = 4.0
"""Images with a larger mean are on the 8-bit scale, unless they are almost black."""


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
            images: B x 3 x H x W, floating point, about in [0, 1], not normalised. Values outside are accepted, because
                certification adds noise. Images on the 8-bit scale are refused.
            seeds: one integer per image. The random numbers of an image depend on its seed only. By default, seeds are
                drawn from torch's global generator.

        Raises:
            TypeError: the images are not a tensor, or a seed is not an integer.
            ValueError: wrong shape, scale, number format or number of seeds, or values that are not finite.
            RuntimeError: the images require a gradient, and the method has none.
        """
        check_images(images)
        if not self.differentiable and needs_gradient(images):
            name = type(self).__name__
            raise RuntimeError(
                f"{name} has no gradient: detach its input, or wrap it in dptools.purifiers.StraightThrough (BPDA)"
            )
        chosen = draw_seeds(len(images)) if seeds is None else _checked_seeds(seeds, len(images))
        return self.purify(images, chosen) if len(images) else images.clone()

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return purified images. Subclasses implement this method.

        Args:
            images: B x 3 x H x W, B > 0, already checked.
            seeds: one seed per image.
        """
        raise NotImplementedError


def needs_gradient(images: Tensor) -> bool:
    """Return whether a gradient with respect to the images will be computed."""
    return torch.is_grad_enabled() and images.requires_grad


def check_images(images: Tensor) -> None:
    """Check type, shape, scale and finiteness.

    Raises:
        TypeError: the images are not a tensor.
        ValueError: the images are not B x 3 x H x W finite floating-point values, or they are on the 8-bit scale. The
            message states the actual shape or values.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"expected a torch.Tensor of shape B x 3 x H x W in [0, 1], got {_type_name(images)}")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        shape = tuple(images.shape)
        raise ValueError(f"expected images of shape B x 3 x H x W, got {shape}{_shape_hint(shape)}")
    if not images.is_floating_point():
        raise ValueError(f"expected floating-point images, got {images.dtype}; divide 8-bit values by 255")
    if not bool(images.isfinite().all()):
        raise ValueError("expected finite values, got NaN or infinity")
    # Noise has mean 0, so the mean of a noisy image stays near [0, 1].
    if images.numel() and float(images.detach().float().mean()) > MAX_MEAN:
        raise ValueError(f"expected values in [0, 1], got values up to {float(images.max()):g}; divide by 255")


def draw_seeds(count: int) -> list[int]:
    """Return seeds from torch's global CPU generator."""
    seeds: list[int] = torch.randint(2**62, (count,)).tolist()
    return seeds


def grey_like(output: Tensor, image: Tensor) -> Tensor:
    """Return the output, 1 x 3 x H x W. If the three channels of the image are equal, average those of the output."""
    grey = bool((image == image[:, :1]).all())
    return output.mean(1, keepdim=True).expand_as(output).contiguous() if grey else output


def _checked_seeds(seeds: Sequence[int], count: int) -> list[int]:
    try:
        chosen = [operator.index(seed) for seed in seeds]
    except TypeError:
        raise TypeError(f"seeds: expected one integer for each image, got {seeds!r}") from None
    if len(chosen) != count:
        raise ValueError(f"expected one seed for each of {count} images, got {len(chosen)}")
    return chosen


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _shape_hint(shape: tuple[int, ...]) -> str:
    """Return advice for the likeliest mistakes: no batch dimension, or channels last."""
    if len(shape) == 3 and shape[0] == 3:
        return ": add the batch dimension with images[None]"
    if len(shape) == 4 and shape[3] == 3:
        return ": put the channels second with images.permute(0, 3, 1, 2)"
    return ""
