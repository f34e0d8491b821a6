"""Fits of several images in lockstep, each until its own rule says that it is enough."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.purifiers.dip.losses import LOSSES
from dptools.purifiers.dip.network import Network
from dptools.purifiers.dip.networks import make_network
from dptools.purifiers.dip.presets import Preset
from dptools.purifiers.dip.reconstruction import Reconstruction, Settings, Step
from dptools.purifiers.dip.stopping import Fixed

Observer = Callable[[Step], None]
"""Is shown every step of every fit, one tile after another. Texture is added to the last of them only."""

TOGETHER = 16
"""Fits that a GPU runs side by side."""

GRACE = 100
"""Iterations in which a fit may still be worse than a flat colour."""

WORST = 1.0
"""No two images are further apart than this in mean squared error."""


@dataclass(frozen=True)
class Fit:
    """One image's, before it begins.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        preset: how.
        seed: decides all that is drawn.
        observe: is shown every step.
    """

    image: Tensor
    preset: Preset
    seed: int
    observe: Observer | None = None

    @property
    def kind(self) -> object:
        """Those of one kind can run in lockstep: they differ in their images, seeds and rules at most."""
        return self.image.shape, replace(self.preset, rule=Fixed(held_out=self.preset.rule.held_out))


@dataclass(frozen=True)
class Fitted:
    """A fit that is done.

    Attributes:
        image: 1 x 3 x H x W.
        step: the iteration that it comes from.
        iterations: how many were done.
        reason: why no more were.
        restarted: it diverged at first, and was done again with a smaller step.
    """

    image: Tensor
    step: int
    iterations: int
    reason: str
    restarted: bool = False


def fit_all(fits: Sequence[Fit]) -> list[Fitted | SampleError]:
    """Run fits of one kind to their ends; those that diverge once more, at a tenth of the rate."""
    rate = fits[0].preset.learning_rate
    ends = _run(fits if rate else _filled(fits))[: len(fits)]
    astray = [place for place, end in enumerate(ends) if isinstance(end, SampleError)] if rate else []
    if astray:
        again = [replace(fits[place], preset=replace(fits[place].preset, learning_rate=rate / 10)) for place in astray]
        for place, end in zip(astray, _run(again), strict=True):
            ends[place] = replace(end, restarted=True) if isinstance(end, Fitted) else end
    return ends


def _filled(fits: Sequence[Fit]) -> Sequence[Fit]:
    """With copies up to TOGETHER on a GPU, which may round otherwise in a batch of another size. What is trained is
    spared that: its rounding hangs on the order of sums that differs from run to run."""
    missing = TOGETHER - len(fits) if fits[0].image.is_cuda else 0
    return [*fits, *[replace(fits[-1], observe=None)] * missing]


def _run(fits: Sequence[Fit]) -> list[Fitted | SampleError]:
    together, going = _together(fits), [_Watch(fit) for fit in fits]
    watches = list(going)
    while going:
        for watch, step in zip(going, together.step(), strict=True):
            watch.see(step)
        rows = [row for row, watch in enumerate(going) if not watch.end]
        if 0 < len(rows) < len(going):
            together.keep(rows)
        going = [going[row] for row in rows]
    return [watch.end for watch in watches if watch.end]


class _Watch:
    """What is known of a fit that runs."""

    def __init__(self, fit: Fit) -> None:
        self.fit, self.verdict = fit, fit.preset.rule.start()
        self.spread = fit.image.var(dim=(-2, -1)).mean().item() if fit.image[0, 0].numel() > 1 else 0.0
        self.best: Step | None = None
        self.end: Fitted | SampleError | None = None

    def see(self, step: Step) -> None:
        """Take a step into account."""
        worst = 2 * self.spread + 0.01 if step.iteration > GRACE else WORST
        if not math.isfinite(step.loss) or step.error > worst:
            where = f"at iteration {step.iteration}"
            fitted = f"the fit diverged {where}, with a smaller step too"
            known = fitted if self.fit.preset.learning_rate else f"the network's output is far from any image {where}"
            self.end = SampleError("Diverged", known)
            return
        if self.fit.observe:
            self.fit.observe(step)
        verdict = self.verdict(step)
        self.best = best = step if verdict.keep or self.best is None else self.best
        last = step.iteration >= self.fit.preset.iterations
        if reason := verdict.stop or ("most iterations done" if last else None):
            self.end = Fitted(best.average, best.iteration, step.iteration, reason)


def _together(fits: Sequence[Fit]) -> Reconstruction:
    preset = fits[0].preset
    networks = [_network(fits[0])]
    if networks[0].drawn or preset.learning_rate:
        networks += [_network(fit) for fit in fits[1:]]
    settings = Settings(
        learning_rate=preset.learning_rate,
        average=preset.average,
        jitter=preset.jitter,
        held_out=preset.rule.held_out,
        precision=preset.precision,
    )
    generators = [torch.Generator().manual_seed(fit.seed) for fit in fits]
    losses = [LOSSES[preset.loss]() for _ in fits]
    return Reconstruction(torch.cat([fit.image for fit in fits]), networks, losses, generators, settings)


def _network(fit: Fit) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(fit.seed)  # of the CPU alone: an attacker's CUDA draws go on as they were
        return make_network(fit.preset.network)
