"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dptools.purifiers.denoiser.training.dead_leaves import dead_leaves
from dptools.purifiers.denoiser.training.images import TILE, patches
from dptools.purifiers.denoiser.training.noise import corrupt
from dptools.purifiers.denoiser.training.state import State
from dptools.purifiers.precision import autocast


@dataclass(frozen=True)
class Schedule:
    """How long to train, and with which learning rate.

    Attributes:
        iterations: batches, over all runs.
        seconds: of all runs, after which training ends in any case; infinity for no limit.
        rate: AdamW's learning rate after warm-up; it falls along a cosine to ``final`` of it.
        cooldown: the last part of training in which the rate falls, 0 to 1; before that it is constant.
    """

    iterations: int
    seconds: float = math.inf
    rate: float = 1e-3
    warm_up: int = 200
    final: float = 0.01
    cooldown: float = 1.0

    def done(self, iteration: int, seconds: float) -> float:
        """Return the part of the training that is done, 0 to 1."""
        return min(1.0, max(iteration / self.iterations, seconds / self.seconds))

    def at(self, iteration: int, seconds: float) -> float:
        """Return the learning rate."""
        late = max(0.0, self.done(iteration, seconds) - (1 - self.cooldown)) / self.cooldown if self.cooldown else 0.0
        falling = self.final + (1 - self.final) * (1 + math.cos(math.pi * late)) / 2
        return self.rate * min(1.0, (iteration + 1) / self.warm_up) * falling


class Synthetic:
    """A pool of synthetic images, of which some are replaced at every step."""

    def __init__(self, count: int, device: torch.device, fresh: int) -> None:
        """Fill the pool.

        Args:
            count: images in the pool.
            device: to compute on.
            fresh: images that are generated at once; 1 on a CPU.
        """
        self.fresh, self.device, self.place = fresh, device, 0
        self.tiles = torch.empty(count, 3, TILE, TILE, dtype=torch.uint8, device=device)
        for _ in range(-(-count // fresh)):
            self.renew()

    def renew(self) -> None:
        """Replace the oldest images."""
        new = dead_leaves(self.fresh, TILE, self.device)
        end = min(self.place + self.fresh, len(self.tiles))
        self.tiles[self.place : end] = new[: end - self.place]
        self.place = end % len(self.tiles)


def train(
    state: State,
    photographs: Tensor | None,
    synthetic: Synthetic | None,
    schedule: Schedule,
    *,
    batch: int,
    side: int = 128,
    share: float = 0.25,
    renew_every: int = 50,
    report_every: int = 500,
    compiled: bool = False,
) -> Iterator[float]:
    """Train to remove noise; the loss is the absolute error with a soft corner (Charbonnier et al., 1994).

    Args:
        state: the run, which is continued.
        photographs: tiles, N x 3 x TILE x TILE uint8 on the device; None for synthetic images only.
        synthetic: images generated during training; None for photographs only.
        schedule: length and learning rate.
        batch: patches in a batch.
        side: of a patch, in pixels.
        share: of synthetic patches in a batch.
        renew_every: iterations between two renewals of the synthetic images.
        report_every: iterations between two reports.
        compiled: use torch.compile.

    Yields:
        The mean loss since the last report, and at the end.
    """
    progress, device = state.progress, next(state.network.parameters()).device
    before, begun = progress.seconds, time.monotonic()
    total, count = torch.zeros((), device=device), 0
    network: Callable[[Tensor], Tensor] = torch.compile(state.network) if compiled else state.network
    while schedule.done(progress.iteration, progress.seconds) < 1:
        made = batch if photographs is None else round(share * batch) if synthetic else 0
        parts = [patches(synthetic.tiles, made, side)] if synthetic and made else []
        if photographs is not None and batch - made:
            parts.append(patches(photographs, batch - made, side))
        clean = torch.cat(parts)
        clean = clean[torch.randperm(batch, device=device)]
        for group in state.optimizer.param_groups:
            group["lr"] = schedule.at(progress.iteration, progress.seconds)
        total += _step(state, network, clean)
        count += 1
        progress.iteration += 1
        progress.patches += batch
        if synthetic and progress.iteration % renew_every == 0:
            synthetic.renew()
        if progress.iteration % 20 == 0:
            progress.seconds = before + time.monotonic() - begun
        if progress.iteration % report_every == 0:
            yield float(total) / count
            total, count = torch.zeros((), device=device), 0
    if count:
        yield float(total) / count


def _step(state: State, network: Callable[[Tensor], Tensor], clean: Tensor) -> Tensor:
    noisy = corrupt(clean, state.draw)
    state.optimizer.zero_grad(set_to_none=True)
    with autocast(clean.device, "auto"):
        output = network(noisy)
    loss = ((output.float() - clean).square() + 1e-6).sqrt().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    decay = min(0.999, (state.progress.iteration + 1) / (state.progress.iteration + 20))
    with torch.no_grad():
        for average, new in zip(state.average.parameters(), state.network.parameters(), strict=True):
            average.lerp_(new, 1 - decay)
    detached: Tensor = loss.detach()
    return detached
