"""The deep image prior: fit a network to an image, several to as many in lockstep, and show every step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dptools.purifiers.dip.network import Network
from dptools.purifiers.dip.pixels import draw_hidden, filled, mean_weights, padded
from dptools.purifiers.dip.together import Together, optimizer_of
from dptools.purifiers.precision import autocast


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


@dataclass(frozen=True)
class Settings:
    """How networks are fitted.

    Attributes:
        learning_rate: Adam's, for the network; 0 leaves it as it is, which is enough for one that starts warm: then a
            step is one more draw of the jitter.
        loss_rate: Adam's, for the loss's own parameters.
        average: weight of the past in the moving average, 0 <= average < 1; until that many outputs are there, their
            plain mean.
        held_out: share of the pixels that the loss never sees.
        jitter: standard deviation of the noise that is added to the code, drawn anew in each step.
        precision: ``auto``, ``fp32`` or ``bf16``.
    """

    learning_rate: float = 0.01
    loss_rate: float = 0.05
    average: float = 0.95
    held_out: float = 0.05
    jitter: float = 0.0
    precision: str = "auto"


def reconstruct(
    image: Tensor, network: Network, loss: nn.Module, *, generator: torch.Generator, **settings: Any
) -> Iterator[Step]:
    """Fit the network to the image, one iteration a step, without end; the caller decides when it is enough.

    Args:
        image: 1 x 3 x H x W in [0, 1], of any size.
        network: with random or warm weights; it is trained in place.
        loss: of the residual; its own parameters, if any, are fitted too.
        generator: draws the code and the held-out pixels; on the CPU, so that every device sees the same.
        settings: those of :class:`Settings`.
    """
    fit = Reconstruction(image, [network], [loss], [generator], Settings(**settings))
    while True:
        yield fit.step()[0]


class Reconstruction:
    """Fits side by side, of images of one size; a step is one iteration of each.

    Args:
        images: B x 3 x H x W in [0, 1].
        networks: one for each image, or one that is not trained for all.
        losses: one for each image.
        generators: one for each image; see :func:`reconstruct`.
    """

    def __init__(
        self,
        images: Tensor,
        networks: Sequence[Network],
        losses: Sequence[nn.Module],
        generators: Sequence[torch.Generator],
        settings: Settings,
    ) -> None:
        self.images, self.generators, self.settings = images, list(generators), settings
        device, (height, width) = images.device, images.shape[-2:]
        hidden = torch.cat([draw_hidden(height, width, settings.held_out, each) for each in generators]).to(device)
        self.fitted, self.held_back, self.some_hidden = mean_weights(~hidden), mean_weights(hidden), bool(hidden.any())
        guides = padded(filled(images, hidden), networks[0].multiple)
        codes = [
            networks[0].code(guide, each).to(device) for guide, each in zip(guides[:, None], generators, strict=True)
        ]
        layout = _layout(device, len(networks))
        self.codes = torch.cat(codes).contiguous(memory_format=layout)
        ready = [network.to(device).to(memory_format=layout) for network in networks]
        self.networks, self.losses = Together(ready), Together([loss.to(device) for loss in losses])
        self.optimizer = optimizer_of([(self.networks, settings.learning_rate), (self.losses, settings.loss_rate)])
        self.means = torch.zeros_like(images)
        self.iteration = 0

    def step(self) -> list[Step]:
        """One more iteration; how each image's fit stands."""
        self.iteration += 1
        outputs, residuals, values = self._advance()
        self.means = torch.lerp(outputs, self.means, min(self.settings.average, 1 - 1 / self.iteration))
        squared = (self.means - self.images).square()
        errors, held_out = ((squared * weights).sum((1, 2, 3)) for weights in (self.fitted, self.held_back))
        numbers = zip(values.tolist(), errors.tolist(), held_out.tolist(), strict=True)
        return [
            Step(
                iteration=self.iteration,
                output=outputs[row : row + 1],
                average=self.means[row : row + 1],
                residual=residuals[row : row + 1],
                loss=loss,
                error=error,
                held_out=held_out if self.some_hidden else None,
            )
            for row, (loss, error, held_out) in enumerate(numbers)
        ]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with the images of these rows only."""
        rows = list(rows)
        self.networks.keep(rows, self.optimizer)
        self.losses.keep(rows, self.optimizer)
        self.generators = [self.generators[row] for row in rows]
        for name in ("images", "fitted", "held_back", "codes", "means"):
            setattr(self, name, getattr(self, name)[rows])

    def _advance(self) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, residuals and losses, of weights that are changed afterwards."""
        (height, width), trained = self.images.shape[-2:], self.settings.learning_rate > 0
        with torch.set_grad_enabled(trained), autocast(self.images.device, self.settings.precision):
            outputs = self.networks(self._jittered()).float()[..., :height, :width]
        residuals = outputs - self.images
        values = self.losses(residuals, self.fitted).reshape(-1)
        if trained:
            self.optimizer.zero_grad()
            values.sum().backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        return outputs.detach(), residuals.detach(), values.detach()

    def _jittered(self) -> Tensor:
        if not self.settings.jitter:
            return self.codes
        shape = (1, *self.codes.shape[1:])
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in self.generators])
        return self.codes + self.settings.jitter * noise.to(self.codes)


def _layout(device: torch.device, networks: int) -> torch.memory_format:
    """The fastest that is right: on a CPU with one thread, PyTorch 2.15 gives wrong gradients of grouped convolutions
    of 1 x 1 pixels, which several networks have, in the faster layout (as its issue 190773 has it for another device).
    """
    return torch.channels_last if networks == 1 or device.type != "cpu" else torch.contiguous_format
