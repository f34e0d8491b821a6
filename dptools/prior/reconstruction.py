"""The deep image prior in one loop: fit a network to an image, and show every step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from dptools.prior.network import Network
from dptools.prior.precision import autocast


@dataclass(frozen=True)
class Step:
    """The fit in one iteration; images are 1 x 3 x H x W in [0, 1].

    Attributes:
        iteration: how many were done, from 1.
        output: what the network gave in this iteration, before its weights were changed.
        average: the moving average of its outputs, which is smoother.
        residual: the output less the image.
        loss: what was minimised, of this output.
        error: mean squared error of the average against the pixels that are fitted.
        held_out: the same against the pixels that are held out; None where there are none.
    """

    iteration: int
    output: Tensor
    average: Tensor
    residual: Tensor
    loss: float
    error: float
    held_out: float | None


def reconstruct(
    image: Tensor,
    network: Network,
    loss: nn.Module,
    *,
    generator: torch.Generator,
    learning_rate: float = 0.01,
    loss_rate: float = 0.05,
    average: float = 0.95,
    held_out: float = 0.05,
    jitter: float = 0.0,
    precision: str = "auto",
) -> Iterator[Step]:
    """Fit the network to the image, one iteration a step, without end; the caller decides when it is enough.

    Args:
        image: 1 x 3 x H x W in [0, 1], of any size.
        network: with random or warm weights; it is trained in place.
        loss: of the residual; its own parameters, if any, are fitted too.
        generator: draws the code and the held-out pixels; on the CPU, so that every device sees the same.
        learning_rate: Adam's, for the network; 0 leaves it as it is, which is enough for one that starts warm: then a
            step is one more draw of the jitter.
        loss_rate: Adam's, for the loss's own parameters.
        average: weight of the past in the moving average, 0 <= average < 1; until that many outputs are there, their
            plain mean.
        held_out: share of the pixels that the loss never sees.
        jitter: standard deviation of the noise that is added to the code, drawn anew in each step.
        precision: ``auto``, ``fp32`` or ``bf16``.
    """
    device, (height, width) = image.device, image.shape[-2:]
    hidden = _hidden(height, width, held_out, generator).to(device)
    fitted, held_back, some_hidden = _weights(~hidden), _weights(hidden), bool(hidden.any())
    guide = _padded(_filled(image, hidden), network.multiple)
    code = network.code(guide, generator).to(device).contiguous(memory_format=torch.channels_last)
    network = network.to(device).to(memory_format=torch.channels_last)
    optimizer = _adam(network, learning_rate, loss.to(device), loss_rate)
    mean = torch.zeros_like(image)
    for iteration in count(1):
        noisy = code + jitter * torch.randn(code.shape, generator=generator).to(code) if jitter else code
        with torch.set_grad_enabled(learning_rate > 0), autocast(device, precision):
            output = network(noisy).float()[..., :height, :width]
        residual = output - image
        value = loss(residual, fitted)
        if learning_rate > 0:
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        output, residual = output.detach(), residual.detach()
        mean = torch.lerp(output, mean, min(average, 1 - 1 / iteration))
        squared = (mean - image).square()
        yield Step(
            iteration=iteration,
            output=output,
            average=mean,
            residual=residual,
            loss=value.item(),
            error=(squared * fitted).sum().item(),
            held_out=(squared * held_back).sum().item() if some_hidden else None,
        )


def _padded(image: Tensor, multiple: int) -> Tensor:
    """The image with sides that the network works at: multiples, and at the smallest scale at least the two pixels
    that BatchNorm and reflected borders need. What is added at the right and the bottom stands in no loss."""
    height, width = image.shape[-2:]
    right, below = (max(2, math.ceil(side / multiple)) * multiple - side for side in (width, height))
    return pad(image, (0, right, 0, below), mode="replicate")


def _hidden(height: int, width: int, share: float, generator: torch.Generator) -> Tensor:
    """Which pixels are held out, 1 x 1 x H x W: the share of them, at least one, but never the only one."""
    if not share:
        return torch.zeros(1, 1, height, width, dtype=torch.bool)
    pixels = height * width
    order = torch.randperm(pixels, generator=generator)
    wanted = min(max(1, round(share * pixels)), pixels - 1)
    return (order < wanted).view(1, 1, height, width)


def _filled(image: Tensor, hidden: Tensor) -> Tensor:
    """The image with each hidden pixel replaced by the mean of the seen ones around it, so that it betrays nothing."""
    if not hidden.any():
        return image
    seen = (~hidden).float()
    around = avg_pool2d(image * seen, 3, 1, 1) / avg_pool2d(seen, 3, 1, 1).clamp(min=1e-6)
    return torch.where(hidden, around, image)


def _weights(pixels: Tensor) -> Tensor:
    """For a mean over the three values of each of these pixels, 1 x 1 x H x W: a sum of products, which needs no
    gathering of values in every step."""
    return pixels.float() / max(1, 3 * int(pixels.sum()))


def _adam(network: nn.Module, learning_rate: float, loss: nn.Module, loss_rate: float) -> torch.optim.Optimizer:
    groups = [
        {"params": list(network.parameters()), "lr": learning_rate},
        {"params": list(loss.parameters()), "lr": loss_rate},
    ]
    return torch.optim.Adam([group for group in groups if group["params"]], fused=True)
