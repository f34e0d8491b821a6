"""Restore one image: a preset says with which network, loss and rule."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.prior.losses import LOSSES
from dptools.prior.networks import NETWORKS
from dptools.prior.presets import PRESETS, Preset
from dptools.prior.reconstruction import Step, reconstruct
from dptools.prior.tiles import tiled

Observer = Callable[[Step], None]
"""Is shown every step of every fit, one tile after another. Texture is added to the last of them only."""

GRACE = 100
"""Iterations in which a fit may still be worse than a flat colour."""

TEXTURE = 1 << 32
"""Makes another seed of one, so that the grain has nothing in common with the jitter."""

WORST = 1.0
"""No two images are further apart than this in mean squared error."""


@dataclass(frozen=True)
class Restored:
    """A restored image.

    Attributes:
        image: 1 x 3 x H x W in [0, 1].
        step: the iteration that it comes from.
        iterations: how many were done.
        reason: why no more were.
        restarted: a fit diverged at first, and was done again with a smaller step.
        tiles: how many fits the image took. The step, the iterations and the reason are of the longest of them.
    """

    image: Tensor
    step: int
    iterations: int
    reason: str
    restarted: bool = False
    tiles: int = 1


class _DivergedError(Exception):
    """A fit went astray."""


@torch.enable_grad()  # whoever calls it: an attack, for instance, asks without gradients
def restore(
    image: Tensor, preset: Preset | str = "default", *, seed: int = 0, observe: Observer | None = None
) -> Restored:
    """Restore an image with the deep image prior; a large one tile by tile. A fit that diverges is begun again, once,
    at a tenth of the rate. A grey image comes back grey.

    Args:
        image: 1 x 3 x H x W in [0, 1], of any size; on the device to compute on.
        preset: a Preset, or a name in PRESETS.
        seed: decides all that is drawn: weights, code, jitter, held-out pixels, grain.
        observe: is shown every step; those of a fit that diverges, too.

    Raises:
        SampleError: the fit diverged twice.

    Example:
        >>> restore(torch.rand(1, 3, 32, 32), Preset("small", "mse", Fixed(2)), seed=1).iterations
        2
    """
    preset = PRESETS[preset] if isinstance(preset, str) else preset
    parts: list[Restored] = []

    def part(tile: Tensor, number: int) -> Tensor:
        done = _patiently(tile, preset, seed + number, observe)
        parts.append(replace(done, image=done.image[..., :0, :0]))  # which would fill the memory
        return done.image

    whole = tiled(image, preset.tile or max(image.shape[-2:]), part)
    longest = max(parts, key=lambda done: done.iterations)
    restarted = any(done.restarted for done in parts)
    return replace(longest, image=_finished(whole, image, preset, seed), restarted=restarted, tiles=len(parts))


def _patiently(image: Tensor, preset: Preset, seed: int, observe: Observer | None) -> Restored:
    try:
        return _fit(image, preset, seed, observe)
    except _DivergedError as error:
        if not preset.learning_rate:
            raise SampleError("Diverged", f"the network's output is far from any image {error}") from None
        smaller = replace(preset, learning_rate=preset.learning_rate / 10)
    try:
        return replace(_fit(image, smaller, seed, observe), restarted=True)
    except _DivergedError as error:
        raise SampleError("Diverged", f"the fit diverged {error}, with a smaller step too") from None


def _fit(image: Tensor, preset: Preset, seed: int, observe: Observer | None) -> Restored:
    watch = preset.rule.start()
    spread = image.var(dim=(-2, -1)).mean().item() if image[0, 0].numel() > 1 else 0.0
    best: Step | None = None
    for step in _steps(image, preset, seed):
        worst = 2 * spread + 0.01 if step.iteration > GRACE else WORST
        if not math.isfinite(step.loss) or step.error > worst:
            raise _DivergedError(f"at iteration {step.iteration}")
        if observe:
            observe(step)
        verdict = watch(step)
        best = step if verdict.keep or best is None else best
        reason = verdict.stop or ("most iterations done" if step.iteration >= preset.iterations else None)
        if reason:
            return Restored(best.average, best.iteration, step.iteration, reason)
    raise AssertionError("reconstruct never ends by itself")


def _finished(output: Tensor, image: Tensor, preset: Preset, seed: int) -> Tensor:
    """The restored image, with its texture."""
    output = output.clamp(0, 1)
    if preset.texture:
        output = preset.texture.added(image, output, torch.Generator().manual_seed(seed ^ TEXTURE)).clamp(0, 1)
    grey = bool((image == image[:, :1]).all())
    return output.mean(1, keepdim=True).expand_as(output).contiguous() if grey else output


def _steps(image: Tensor, preset: Preset, seed: int) -> Iterator[Step]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of the CPU alone: an attacker's CUDA draws go on as they were
        network, loss = NETWORKS[preset.network](), LOSSES[preset.loss]()
    return reconstruct(
        image,
        network,
        loss,
        generator=torch.Generator().manual_seed(seed),
        learning_rate=preset.learning_rate,
        average=preset.average,
        jitter=preset.jitter,
        held_out=preset.rule.held_out,
        precision=preset.precision,
    )
