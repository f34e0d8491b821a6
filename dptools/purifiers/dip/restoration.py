"""Restore images: a preset says with which network, loss and rule."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.purifiers.dip.fits import TOGETHER, Fit, Fitted, Observer, fit_all
from dptools.purifiers.dip.presets import PRESETS, Preset
from dptools.purifiers.tiling import Mosaic, Tile

TEXTURE = 1 << 32
"""Makes another seed of one, so that the grain has nothing in common with the jitter."""


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


@dataclass(frozen=True)
class Wanted:
    """An image to restore; the arguments of :func:`restore`."""

    image: Tensor
    preset: Preset
    seed: int = 0
    observe: Observer | None = None


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
    (done,) = restore_all([Wanted(image, preset, seed, observe)])
    if isinstance(done, SampleError):
        raise done
    return done


@torch.enable_grad()  # whoever calls it: an attack, for instance, asks without gradients
def restore_all(images: Sequence[Wanted], together: int | None = None) -> list[Restored | SampleError]:
    """Restore images as :func:`restore` does each of them; one that cannot be costs no other.

    Args:
        images: all on one device.
        together: how many fits of equal size run side by side; else TOGETHER on a GPU, and 1 on a CPU, which is no
            faster with more.
    """
    if not images:
        return []
    mosaics = [Mosaic(wanted.image, wanted.preset.tile or max(wanted.image.shape[-2:])) for wanted in images]
    ends: list[list[Fitted | SampleError]] = [[] for _ in images]
    for parts in _groups(images, mosaics, together or (TOGETHER if images[0].image.is_cuda else 1)):
        for part, end in zip(parts, fit_all([part.fit for part in parts]), strict=True):
            if isinstance(end, Fitted):
                mosaics[part.place].add(part.tile, end.image)
                end = replace(end, image=end.image[..., :0, :0])  # which would fill the memory
            ends[part.place].append(end)
    return [_result(*each) for each in zip(images, mosaics, ends, strict=True)]


@dataclass(frozen=True)
class _Part:
    """A tile of the image in this place, or the whole of a small one."""

    place: int
    tile: Tile
    fit: Fit


def _groups(images: Sequence[Wanted], mosaics: Sequence[Mosaic], size: int) -> Iterator[list[_Part]]:
    """Parts that can be done in lockstep, so many at most."""
    kinds: defaultdict[object, list[_Part]] = defaultdict(list)
    for place, (wanted, mosaic) in enumerate(zip(images, mosaics, strict=True)):
        for number, tile in enumerate(mosaic.tiles):
            fit = Fit(tile.of(wanted.image), wanted.preset, wanted.seed + number, wanted.observe)
            kinds[fit.kind].append(_Part(place, tile, fit))
    for parts in kinds.values():
        for start in range(0, len(parts), size):
            yield parts[start : start + size]


def _result(wanted: Wanted, mosaic: Mosaic, ends: Sequence[Fitted | SampleError]) -> Restored | SampleError:
    done = [end for end in ends if isinstance(end, Fitted)]
    if error := next((end for end in ends if isinstance(end, SampleError)), None):
        return error
    longest = max(done, key=lambda end: end.iterations)
    restarted = any(end.restarted for end in done)
    image = _finished(mosaic.image(), wanted)
    return Restored(image, longest.step, longest.iterations, longest.reason, restarted, len(done))


def _finished(output: Tensor, wanted: Wanted) -> Tensor:
    """The restored image, with its texture."""
    image, texture = wanted.image, wanted.preset.texture
    output = output.clamp(0, 1)
    if texture:
        generator = torch.Generator().manual_seed(wanted.seed ^ TEXTURE)
        output = texture.added(image, output, generator).clamp(0, 1)
    grey = bool((image == image[:, :1]).all())
    return output.mean(1, keepdim=True).expand_as(output).contiguous() if grey else output
