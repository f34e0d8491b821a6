"""Restore one image: a preset says with which network, loss and rule."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.prior.losses import LOSSES
from dptools.prior.networks import NETWORKS
from dptools.prior.presets import PRESETS, Preset
from dptools.prior.reconstruction import Step, reconstruct


@dataclass(frozen=True)
class Restored:
    """A restored image.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        step: the iteration that it comes from.
        iterations: how many were done.
        reason: why no more were.
    """

    image: Tensor
    step: int
    iterations: int
    reason: str


@torch.enable_grad()  # whoever calls it: an attack, for instance, asks without gradients
def restore(image: Tensor, preset: Preset | str = "default", *, seed: int = 0) -> Restored:
    """Restore an image with the deep image prior.

    Args:
        image: 1 x 3 x H x W in [0, 1], of any size; on the device to compute on.
        preset: a Preset, or a name in PRESETS.
        seed: decides the network's first weights, the code and the held-out pixels.

    Raises:
        SampleError: the fit diverged.

    Example:
        >>> restore(torch.rand(1, 3, 32, 32), Preset("default", "mse", Fixed(2)), seed=1).iterations
        2
    """
    preset = PRESETS[preset] if isinstance(preset, str) else preset
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network, loss = NETWORKS[preset.network](), LOSSES[preset.loss]()
    steps = reconstruct(
        image,
        network,
        loss,
        generator=torch.Generator().manual_seed(seed),
        learning_rate=preset.learning_rate,
        average=preset.average,
        held_out=preset.rule.held_out,
        precision=preset.precision,
    )
    watch = preset.rule.start()
    best: Step | None = None
    for step in steps:
        if not math.isfinite(step.loss):
            raise SampleError("Diverged", f"the fit diverged at iteration {step.iteration}")
        verdict = watch(step)
        best = step if verdict.keep or best is None else best
        reason = verdict.stop or ("most iterations done" if step.iteration >= preset.iterations else None)
        if reason:
            return Restored(best.average, best.iteration, step.iteration, reason)
    raise AssertionError("reconstruct never ends by itself")
