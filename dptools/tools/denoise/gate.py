"""dp-denoise for suspects only: the rest passes through untouched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dptools.errors import SampleError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Processor


@dataclass(frozen=True)
class Gate:
    """A tool behind a gate.

    Attributes:
        tool: what suspects go through.
        method: its name, for the record.
        threshold: the least suspicion of a suspect.
    """

    tool: Processor
    method: str
    threshold: float

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """
        Raises:
            SampleError: nobody said how suspect the sample is.
        """
        if not isinstance(sample.record.get("suspicion"), int | float):
            raise SampleError("NoSuspicion", "no suspicion in the record: let dp-classify --suspect look at it before")
        return self.tool.expand(sample) if self._suspect(sample) else [sample]

    def params(self, sample: Sample) -> Record:
        done = self.tool.params(sample) if self._suspect(sample) else {"method": "none"}
        return {**done, "if_suspect": self.threshold, "gate": self.method}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        restored = iter(self.tool([sample for sample in samples if self._suspect(sample)]))
        for sample in samples:
            suspect = self._suspect(sample)
            done = next(restored) if suspect else sample.update(denoise={"method": "none", "psnr_input": None})
            gate = {"threshold": self.threshold, "suspect": suspect, "method": self.method}
            yield done if done.failed else done.update(denoise={**done.record["denoise"], "gate": gate})

    def _suspect(self, sample: Sample) -> bool:
        return bool(sample.record["suspicion"] >= self.threshold)
