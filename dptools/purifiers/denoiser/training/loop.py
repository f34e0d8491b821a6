"""The training loop."""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dptools.purifiers.denoiser.training.dead_leaves import dead_leaves
from dptools.purifiers.denoiser.training.features import Critics
from dptools.purifiers.denoiser.training.images import TILE, patches
from dptools.purifiers.denoiser.training.noise import NOISES, corrupt, gaussian
from dptools.purifiers.denoiser.training.state import State
from dptools.purifiers.precision import autocast


@dataclass(frozen=True)
class Schedule:
    """How long to train, and with which learning rate.

    Attributes:
        iterations: number of batches, over all runs.
        seconds: time limit, summed over all runs; infinity for no limit.
        rate: AdamW's learning rate after warm-up; it falls along a cosine to ``final`` times this value.
        warm_up: iterations in which the rate rises linearly from 0.
        final: learning rate at the end, divided by ``rate``.
        cooldown: final fraction of training in which the rate falls, 0 to 1. Before, it is constant.
    """

    iterations: int
    seconds: float = math.inf
    rate: float = 1e-3
    warm_up: int = 200
    final: float = 0.01
    cooldown: float = 1.0

    def done(self, iteration: int, seconds: float) -> float:
        """Return the fraction of training that is complete, 0 to 1."""
        return min(1.0, max(iteration / self.iterations, seconds / self.seconds))

    def at(self, iteration: int, seconds: float) -> float:
        """Return the learning rate of an iteration."""
        late = max(0.0, self.done(iteration, seconds) - (1 - self.cooldown)) / self.cooldown if self.cooldown else 0.0
        falling = self.final + (1 - self.final) * (1 + math.cos(math.pi * late)) / 2
        return self.rate * min(1.0, (iteration + 1) / self.warm_up) * falling


@dataclass(frozen=True)
class Objective:
    """What the network learns.

    Attributes:
        critics: classifiers that take part; None for none.
        feature_weight: factor of the distance of their features in the loss.
        prediction_weight: factor of the cross-entropy of their predictions in the loss.
        adversarial: weight of perturbations against them among the kinds of noise; the weights of all others sum to 1.
        gaussian: None to train on all kinds of noise. Otherwise, all patches get Gaussian noise with a standard
            deviation of up to ``gaussian``/255, which is neither rounded nor clipped, as in randomised smoothing.
    """

    critics: Critics | None = None
    feature_weight: float = 0.03
    prediction_weight: float = 0.0
    adversarial: float = 0.5
    gaussian: float | None = None

    def corrupt(self, clean: Tensor, draw: random.Random) -> Tensor:
        """Return the patches with noise; see :func:`dptools.purifiers.denoiser.training.noise.corrupt`."""
        if self.gaussian is not None:
            return gaussian(clean, self.gaussian)
        attacks = {self.critics.perturb: self.adversarial} if self.critics and self.adversarial else {}
        return corrupt(clean, draw, NOISES | attacks)

    def loss(self, outputs: Tensor, clean: Tensor) -> Tensor:
        """Return the Charbonnier loss (Charbonnier et al., 1994), plus the weighted errors of the critics."""
        loss: Tensor = ((outputs - clean).square() + 1e-6).sqrt().mean()
        if self.critics and (self.feature_weight or self.prediction_weight):
            distance, cross_entropy = self.critics.errors(outputs, clean)
            loss = loss + self.feature_weight * distance + self.prediction_weight * cross_entropy
        return loss


PIXELS_ONLY = Objective()

MAX_GRADIENT = 0.1
"""The largest norm of a gradient. Typical norms are 0.02 to 0.1; rare larger ones made a long training diverge."""


class Synthetic:
    """A pool of synthetic images. Each call of :meth:`renew` replaces the oldest of them.

    The images depend on the seed and on the number of renewals only, so a resumed run has the same pool.
    """

    def __init__(self, count: int, device: torch.device, fresh: int, *, seed: int = 0, renewals: int = 0) -> None:
        """Fill the pool.

        Args:
            count: number of images in the pool.
            device: device to compute on.
            fresh: number of images that each renewal generates.
            seed: seed of the images.
            renewals: number of renewals in the earlier runs of the training.
        """
        self.fresh, self.device, self.seed, self.number = fresh, device, seed, renewals
        self.tiles = torch.empty(count, 3, TILE, TILE, dtype=torch.uint8, device=device)
        self.rounds = -(-count // fresh)
        for _ in range(self.rounds):
            self.renew()

    def renew(self) -> None:
        """Replace the oldest images."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(1_000_003 * (self.seed + 1) + self.number)
            new = dead_leaves(self.fresh, TILE, self.device)
        place = self.number % self.rounds * self.fresh
        end = min(place + self.fresh, len(self.tiles))
        self.tiles[place:end] = new[: end - place]
        self.number += 1


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
    objective: Objective = PIXELS_ONLY,
) -> Iterator[float]:
    """Train the network to remove noise.

    Args:
        state: the training run to continue, changed in place.
        photographs: tiles, N x 3 x TILE x TILE uint8 on the device; None for synthetic images only.
        synthetic: images generated during training; None for photographs only.
        schedule: length and learning rate.
        batch: number of patches in a batch.
        side: side of a patch, in pixels.
        share: fraction of synthetic patches in a batch, if there are photographs.
        renew_every: iterations from one renewal of the synthetic images to the next.
        report_every: iterations from one report to the next.
        compiled: whether to use torch.compile.
        objective: the kinds of noise and the loss.

    Yields:
        The mean loss since the last report: every ``report_every`` iterations, and at the end.
    """
    progress, device = state.progress, next(state.network.parameters()).device
    total, count, begun = torch.zeros((), device=device), 0, time.monotonic()
    network: Callable[[Tensor], Tensor] = torch.compile(state.network) if compiled else state.network
    while schedule.done(progress.iteration, progress.seconds) < 1:
        num_synthetic = batch if photographs is None else round(share * batch) if synthetic else 0
        parts = [patches(synthetic.tiles, num_synthetic, side)] if synthetic and num_synthetic else []
        if photographs is not None and batch - num_synthetic:
            parts.append(patches(photographs, batch - num_synthetic, side))
        clean = torch.cat(parts)
        clean = clean[torch.randperm(batch, device=device)]
        for group in state.optimizer.param_groups:
            group["lr"] = schedule.at(progress.iteration, progress.seconds)
        total += _step(state, network, clean, objective)
        count += 1
        progress.iteration += 1
        progress.patches += batch
        if synthetic and progress.iteration % renew_every == 0:
            synthetic.renew()
        reports = progress.iteration % report_every == 0
        mean = float(total) / count if reports else 0.0  # waits for the device
        progress.seconds, begun = progress.seconds + time.monotonic() - begun, time.monotonic()
        if reports:
            yield mean
            total, count, begun = torch.zeros((), device=device), 0, time.monotonic()
    if count:
        yield float(total) / count


def _step(state: State, network: Callable[[Tensor], Tensor], clean: Tensor, objective: Objective) -> Tensor:
    noisy = objective.corrupt(clean, state.draw)
    state.optimizer.zero_grad(set_to_none=True)
    with autocast(clean.device, "auto"):
        output = network(noisy)
    loss = objective.loss(output.float(), clean)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), MAX_GRADIENT)
    state.optimizer.step()
    decay = min(0.999, (state.progress.iteration + 1) / (state.progress.iteration + 20))
    with torch.no_grad():
        for average, new in zip(state.average.parameters(), state.network.parameters(), strict=True):
            average.lerp_(new, 1 - decay)
    detached: Tensor = loss.detach()
    return detached
