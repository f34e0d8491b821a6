"""Purify only suspicious images; the others pass unchanged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dptools.errors import SampleError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Processor


@dataclass(frozen=True)
class Gate:
    """Passes suspicious images to another processor.

    Attributes:
        processor: The processor that purifies suspicious images.
        method: The name of its method, for the record.
        threshold: Images with this calibrated score or more are suspicious.
    """

    processor: Processor
    method: str
    threshold: float

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """Return the outputs of a sample.

        Raises:
            SampleError: The record has no calibrated score.
        """
        if not isinstance(sample.record.get("suspicion"), int | float):
            raise SampleError("NoSuspicion", "the record has no suspicion: run dp-classify --suspect first")
        return self.processor.expand(sample) if self._suspicious(sample) else [sample]

    def params(self, sample: Sample) -> Record:
        params = self.processor.params(sample) if self._suspicious(sample) else {"method": "none"}
        return {**params, "if_suspect": self.threshold, "gate": self.method}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        purified = iter(self.processor([sample for sample in samples if self._suspicious(sample)]))
        for sample in samples:
            suspicious = self._suspicious(sample)
            unchanged = sample.update(denoise={"method": "none", "psnr_input": None})
            done = next(purified) if suspicious else unchanged
            gate = {"threshold": self.threshold, "suspect": suspicious, "method": self.method}
            yield done if done.failed else done.update(denoise={**done.record["denoise"], "gate": gate})

    def _suspicious(self, sample: Sample) -> bool:
        return bool(sample.record["suspicion"] >= self.threshold)
