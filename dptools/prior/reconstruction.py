"""The deep image prior in one loop: fit a random network to an image, and show every step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dptools.prior.networks import Network
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
    precision: str = "auto",
) -> Iterator[Step]:
    """Fit the network to the image, one iteration a step, without end; the caller decides when it is enough.

    Args:
        image: 1 x 3 x H x W in [0, 1], of any size.
        network: with fresh weights; it is trained in place.
        loss: of the residual; its own parameters, if any, are fitted too.
        generator: draws the code and the held-out pixels; on the CPU, so that every device sees the same.
        learning_rate: Adam's, for the network.
        loss_rate: Adam's, for the loss's own parameters.
        average: weight of the past in the moving average, 0 <= average < 1.
        held_out: share of the pixels that the loss never sees.
        precision: ``auto``, ``fp32`` or ``bf16``.
    """
    device, (height, width) = image.device, image.shape[-2:]
    whole = _whole(height, network.multiple), _whole(width, network.multiple)
    code = network.code(*whole, generator).to(device)
    hidden = _hidden(height, width, held_out, generator).expand_as(image).to(device)
    fitted, some_hidden = ~hidden, bool(hidden.any())
    network = network.to(device).to(memory_format=torch.channels_last)
    code = code.contiguous(memory_format=torch.channels_last)
    optimizer = _adam(network, learning_rate, loss.to(device), loss_rate)
    mean: Tensor | None = None
    iteration = 0
    while True:
        iteration += 1
        optimizer.zero_grad()
        with autocast(device, precision):
            output = network(code)
        output = output.float()[..., :height, :width]
        residual = output - image
        value = loss(residual[fitted])
        value.backward()
        optimizer.step()
        output = output.detach()
        mean = output if mean is None else torch.lerp(output, mean, average)
        squared = (mean - image).square()
        yield Step(
            iteration=iteration,
            output=output,
            average=mean,
            residual=residual.detach(),
            loss=value.item(),
            error=squared[fitted].mean().item(),
            held_out=squared[hidden].mean().item() if some_hidden else None,
        )


def _whole(side: int, multiple: int) -> int:
    """The side that the network works at: a multiple, and at the smallest scale at least the two pixels that
    BatchNorm and reflected borders need. What it adds at the right and the bottom stands in no loss."""
    return max(2, math.ceil(side / multiple)) * multiple


def _hidden(height: int, width: int, share: float, generator: torch.Generator) -> Tensor:
    """Which pixels are held out, 1 x 1 x H x W: the share of them, at least one, but never the only one."""
    count = height * width
    order = torch.randperm(count, generator=generator)
    wanted = min(max(1, round(share * count)), count - 1) if share else 0
    return (order < wanted).view(1, 1, height, width)


def _adam(network: nn.Module, learning_rate: float, loss: nn.Module, loss_rate: float) -> torch.optim.Optimizer:
    groups = [
        {"params": list(network.parameters()), "lr": learning_rate},
        {"params": list(loss.parameters()), "lr": loss_rate},
    ]
    return torch.optim.Adam([group for group in groups if group["params"]], fused=True)
