"""The fit: the loop of the deep image prior."""

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor

from dptools.purifiers.dip.held_out import draw_held_out, mean_weights, padded_size
from dptools.purifiers.dip.losses import FACTORIES
from dptools.purifiers.dip.networks import random_network
from dptools.purifiers.dip.settings import FitSettings
from dptools.purifiers.dip.step import Step
from dptools.purifiers.precision import autocast


def steps(image: Tensor, settings: FitSettings, *, seed: int) -> Iterator[Step]:
    """Fit a network with random weights to an image. The iterator is infinite; the caller decides when to stop.

    The network's input z stays fixed: unlike the code of arXiv 1711.10925, no noise is added to it in each iteration.

    Args:
        image: 1 x 3 x H x W in [0, 1], of any size, on the device to compute on.
        settings: settings of the fit. The stopping criterion only sets the share of held-out pixels.
        seed: seed of the held-out pixels, the network's input and its weights. They do not depend on the device.

    Yields:
        One step per iteration.
    """
    device, (height, width) = image.device, image.shape[-2:]
    generator = torch.Generator().manual_seed(seed)
    hidden = draw_held_out(height, width, settings.stop.held_out, generator).to(device)
    fitted, held_out, some_hidden = mean_weights(~hidden), mean_weights(hidden), bool(hidden.any())
    network = random_network(settings.network, seed).to(device).to(memory_format=torch.channels_last)
    z = network.draw_input(*padded_size(height, width, network.size_divisor), generator).to(device)
    z = z.contiguous(memory_format=torch.channels_last)
    loss = FACTORIES[settings.loss]().to(device)
    rates = [(network, settings.learning_rate), (loss, settings.loss_learning_rate)]
    groups = [{"params": list(module.parameters()), "lr": rate} for module, rate in rates]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]], fused=True)
    average = torch.zeros_like(image)
    for iteration in count(1):
        with torch.enable_grad():
            with autocast(device, settings.precision):
                output = network(z)
            output = output.float()[..., :height, :width]
            residual = output - image
            value = loss(residual, fitted)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        output, residual = output.detach(), residual.detach()
        average = torch.lerp(output, average, min(settings.ema_decay, 1 - 1 / iteration))
        squared = (average - image).square()
        numbers = torch.stack([value.detach(), (squared * fitted).sum(), (squared * held_out).sum()])
        loss_value, error, validation = numbers.tolist()
        yield Step(iteration, output, average, residual, loss_value, error, validation if some_hidden else None)
