"""Purify images with a network that is trained on each image alone."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pixels import to_pixels
from dptools.tools.denoise.seeds import PURPOSE
from dptools.tools.shared import PREDICTIONS, psnr, to_tensor

if TYPE_CHECKING:
    import torch

    from dptools.purifiers import ZeroShot

NAME = "zero-shot"
"""The name of the method, for records."""


@dataclass(frozen=True)
class ZeroShotProcessor:
    """Trains a network on each image, and purifies the image with it.

    Attributes:
        purifier: The purifier.
        device: The device to compute on.
        seed: The seed of the run.
    """

    purifier: "ZeroShot"
    device: "torch.device"
    seed: int

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.without(*PREDICTIONS)]  # this class belongs to the image before it was purified

    def params(self, sample: Sample) -> Record:
        from dptools.purifiers.precision import effective

        settings = asdict(self.purifier.settings)
        settings["precision"] = effective(self.device, self.purifier.settings.precision)
        return {"method": NAME, **settings, "device": self.device.type}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        for sample in samples:
            image = to_tensor(sample, self.device)
            output = self.purifier(image, seeds=[sample.seed(self.seed, PURPOSE)])
            facts = {"method": NAME, "psnr_input": psnr((output - image).square().mean().item())}
            yield replace(sample.update(denoise=facts), pixels=to_pixels(output[0]))
