"""Purify images with a deep image prior."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from dptools.errors import SampleError
from dptools.pipe.record import TRACE, Record
from dptools.pipe.sample import Sample
from dptools.purifiers.dip.stopping_literature import Oracle
from dptools.tools.denoise.oracle import OracleClassifier
from dptools.tools.denoise.seeds import PURPOSE
from dptools.tools.denoise.tracing import TraceOptions, TraceRecorder
from dptools.tools.shared import psnr, to_pixels, to_tensor

if TYPE_CHECKING:
    import torch

    from dptools.classifiers import Classifier
    from dptools.purifiers import DeepImagePrior
    from dptools.purifiers.dip import Restoration


@dataclass(frozen=True)
class FitProcessor:
    """Fits a network to each image.

    Attributes:
        name: The name of the method, for the record.
        prior: The deep image prior.
        device: The device to compute on.
        seed: The seed of the run.
        tracing: What to record during the fits.
        classifier: The classifier for the oracle and the trace; None if neither needs one.
    """

    name: str
    prior: "DeepImagePrior"
    device: "torch.device"
    seed: int = 0
    tracing: TraceOptions = field(default_factory=TraceOptions)
    classifier: "Classifier | None" = None

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.without("classify")]  # this class belongs to the image before the fit

    def params(self, sample: Sample) -> Record:
        from dptools.purifiers.precision import effective

        settings = asdict(self.prior.settings)
        stop = settings.pop("stop")
        stop.pop("right", None)  # the oracle's classifier is recorded as "model"
        settings["precision"] = effective(self.device, self.prior.settings.precision)
        settings["stop"] = {"criterion": str(self.prior.settings.stop), **stop}
        params = {"method": self.name, **settings, "device": self.device.type, **self.tracing.params}
        if self.classifier:
            oracle = OracleClassifier.of(sample, self.classifier, self.tracing.labels)
            params |= {"model": self.classifier.name, "weights": self.classifier.weights}
            params |= {"label": oracle.label, "adversarial": oracle.adversarial}
        return params

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._fit, samples)

    def _fit(self, sample: Sample) -> Sample:
        labels = self.tracing.labels
        oracle = OracleClassifier.of(sample, self.classifier, labels) if self.classifier else None
        recorder = TraceRecorder(self.tracing, sample, to_tensor(sample, self.device), oracle)
        try:
            prior = self._with_oracle(recorder)
            done = prior.restore(recorder.image, seed=sample.seed(self.seed, PURPOSE), observe=recorder)
        except SampleError as error:
            return sample.fail("dp-denoise", error.kind, error.message)
        return self._record(sample, recorder, done)

    def _with_oracle(self, recorder: TraceRecorder) -> "DeepImagePrior":
        """Return the prior. If it stops by the oracle, give it an oracle for this image.

        Raises:
            SampleError: The oracle has no label. Or the image is fitted in tiles, but the oracle or the trace needs
                the whole image.
        """
        from dptools.purifiers import DeepImagePrior

        settings, oracle = self.prior.settings, recorder.oracle
        needs_oracle = isinstance(settings.stop, Oracle)
        if settings.tile and max(recorder.image.shape[-2:]) > settings.tile and (self.tracing or needs_oracle):
            message = f"fitted in tiles of {settings.tile} pixels, so no step shows the whole image: add --tile 0"
            raise SampleError("TooLarge", message)
        if not needs_oracle:
            return self.prior
        if oracle is None or oracle.label is None:
            raise SampleError("NoLabel", "the oracle needs a true label: the record's, the folder's name, or --label")
        return DeepImagePrior(replace(settings, stop=Oracle(oracle.right)))

    def _record(self, sample: Sample, recorder: TraceRecorder, done: "Restoration") -> Sample:
        error = (done.image - recorder.image).square().mean().item()
        stop: Record = {"criterion": str(self.prior.settings.stop), "step": done.step, "iterations": done.iterations}
        stop |= {"reason": done.reason, **({"tiles": done.tiles} if done.tiles > 1 else {})}
        stop |= {"restarted": True} if done.restarted else {}
        result = {"method": self.name, "stop": stop, "psnr_input": psnr(error)}
        traced = {TRACE: recorder.points} if self.tracing.trace else {}
        return replace(sample.update(denoise={**result, **traced}), pixels=to_pixels(done.image))
