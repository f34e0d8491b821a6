"""dp-denoise with a filter in the prior's place, to compare it with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.purifiers.filters import Filter
from dptools.tools.shared import psnr


@dataclass(frozen=True)
class FilterProcessor:
    """The filter at work."""

    filter: Filter

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.without("classify")]  # it was said of the image as it is read

    def params(self, sample: Sample) -> Record:
        return {"method": str(self.filter)}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        from dptools.purifiers.filters import apply

        for sample in samples:
            assert sample.pixels is not None
            filtered = apply(self.filter, sample.pixels)
            error = float(((filtered / 255.0 - sample.pixels / 255.0) ** 2).mean())
            found = {"method": str(self.filter), "psnr_input": psnr(error)}
            yield replace(sample.update(denoise=found), pixels=filtered)
