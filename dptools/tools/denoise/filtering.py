"""Purify images with a filter. This module does not import torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.purifiers.filters import Filter
from dptools.tools.shared import PREDICTIONS, psnr


@dataclass(frozen=True)
class FilterProcessor:
    """Applies a filter to images."""

    filter: Filter

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.without(*PREDICTIONS)]  # this class belongs to the image before it was filtered

    def params(self, sample: Sample) -> Record:
        return {"method": str(self.filter)}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        from dptools.purifiers.filters import apply

        for sample in samples:
            assert sample.pixels is not None
            filtered = apply(self.filter, sample.pixels)
            error = float(((filtered / 255.0 - sample.pixels / 255.0) ** 2).mean())
            result = {"method": str(self.filter), "psnr_input": psnr(error)}
            yield replace(sample.update(denoise=result), pixels=filtered)
