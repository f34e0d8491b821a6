"""Purify images with the pretrained denoiser."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from dptools.errors import SampleError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pixels import to_pixels
from dptools.tools.denoise.seeds import PURPOSE
from dptools.tools.shared import PREDICTIONS, psnr, to_tensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dptools.purifiers import Denoiser
    from dptools.purifiers.denoiser.purifier import Denoised


@dataclass(frozen=True)
class DenoiserProcessor:
    """Denoises images. Consecutive images of the same size form a batch.

    Attributes:
        name: The name of the method, for the record.
        purifier: The denoiser, on the device.
        device: The device to compute on.
        seed: The seed of the run.
    """

    name: str
    purifier: "Denoiser"
    device: "torch.device"
    seed: int

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.without(*PREDICTIONS)]  # this class belongs to the image before it was denoised

    def params(self, sample: Sample) -> Record:
        chosen = self.purifier.settings
        return {"method": self.name, **asdict(chosen), **chosen.facts(self.device), "device": self.device.type}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Denoise images. Consecutive images of the same size form a batch.

        Raises:
            SampleError: The output of the network contains NaN.
        """
        import torch

        for _, same_size in groupby(samples, key=_size):
            group = list(same_size)
            images = torch.cat([to_tensor(sample, self.device) for sample in group])
            with torch.no_grad():
                results = self.purifier.denoise(images, [sample.seed(self.seed, PURPOSE) for sample in group])
            for sample, image, result in zip(group, torch.split(images, 1), results, strict=True):
                yield self._record(sample, image, result)

    def _record(self, sample: Sample, image: "Tensor", result: "Denoised") -> Sample:
        error = (result.image - image).square().mean().item()
        if not error < 1:  # also true for NaN
            raise SampleError("Diverged", "the network's output is not an image")
        facts = {
            "method": self.name,
            "passes": result.passes,
            "noise_level": round(255 * result.noise_level, 2),
            "psnr_input": psnr(error),
        }
        return replace(sample.update(denoise=facts), pixels=to_pixels(result.image[0]))


def _size(sample: Sample) -> tuple[int, ...]:
    assert sample.pixels is not None
    return sample.pixels.shape
