"""Purify images with a deep image prior."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from dptools.errors import SampleError
from dptools.pipe.record import TRACE, Record
from dptools.pipe.sample import Sample
from dptools.pixels import to_pixels
from dptools.purifiers.dip.settings import FitSettings
from dptools.purifiers.dip.stopping_literature import Oracle
from dptools.tools.denoise.oracle import OracleClassifier
from dptools.tools.denoise.overrides import id_suffix
from dptools.tools.denoise.seeds import PURPOSE
from dptools.tools.denoise.tracing import TraceOptions, TraceRecorder
from dptools.tools.shared import PREDICTIONS, psnr, to_tensor

if TYPE_CHECKING:
    import torch

    from dptools.classifiers import Classifier
    from dptools.purifiers.dip import Restoration


@dataclass
class FitProcessor:
    """Fits a network to each image. With several stopping criteria, each gives one output of the same fit.

    Attributes:
        name: The name of the method, for the record.
        settings: The settings of the fit, one for each stopping criterion.
        device: The device to compute on.
        seed: The seed of the run.
        tracing: What to record during the fits.
        classifier: The classifier for the oracle and the trace; None if neither needs one.
        last: The image that was fitted last, with its results by criterion. Its next outputs need no further fit.
    """

    name: str
    settings: tuple[FitSettings, ...]
    device: "torch.device"
    seed: int = 0
    tracing: TraceOptions = field(default_factory=TraceOptions)
    classifier: "Classifier | None" = None
    last: "tuple[str, TraceRecorder, dict[str, Restoration | SampleError]] | None" = None

    def expand(self, sample: Sample) -> Iterable[Sample]:
        clean = sample.without(*PREDICTIONS)  # this class belongs to the image before the fit
        if len(self.settings) == 1:
            return [clean]
        return [clean.update(id=f"{sample.id}{id_suffix(settings)}") for settings in self.settings]

    def params(self, sample: Sample) -> Record:
        from dptools.purifiers.precision import effective

        chosen = self._settings(sample)
        settings = asdict(chosen)
        stop = settings.pop("stop")
        stop.pop("right", None)  # the oracle's classifier is recorded as "model"
        settings["precision"] = effective(self.device, chosen.precision)
        settings["stop"] = {"criterion": str(chosen.stop), **stop}
        params = {"method": self.name, **settings, "device": self.device.type, **self.tracing.params}
        if self.classifier:
            oracle = OracleClassifier.of(sample, self.classifier, self.tracing.labels)
            params |= {**self.classifier.params, "label": oracle.label, "adversarial": oracle.adversarial}
        return params

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._fit, samples)

    def _settings(self, sample: Sample) -> FitSettings:
        """Return the settings of the output that a sample stands for."""
        if len(self.settings) == 1:
            return self.settings[0]
        (chosen,) = (each for each in self.settings if sample.id.endswith(id_suffix(each)))
        return chosen

    def _fit(self, sample: Sample) -> Sample:
        chosen = self._settings(sample)
        base = sample if len(self.settings) == 1 else sample.update(id=sample.id.removesuffix(id_suffix(chosen)))
        if self.last is None or self.last[0] != base.id or len(self.settings) == 1:
            labels = self.tracing.labels
            oracle = OracleClassifier.of(sample, self.classifier, labels) if self.classifier else None
            recorder = TraceRecorder(self.tracing, base, to_tensor(sample, self.device), oracle)
            self.last = base.id, recorder, self._restore(recorder, base.seed(self.seed, PURPOSE))
        _, recorder, results = self.last
        result = results[str(chosen.stop)]
        if isinstance(result, SampleError):
            return sample.fail("dp-denoise", result.kind, result.message)
        return self._record(sample, chosen, recorder, result)

    def _restore(self, recorder: TraceRecorder, seed: int) -> "dict[str, Restoration | SampleError]":
        """Fit one image, and return the result or the error of each stopping criterion."""
        from dptools.purifiers.dip import restore_each

        results: dict[str, Restoration | SampleError] = {}
        possible: list[FitSettings] = []
        for settings in self.settings:
            try:
                possible.append(self._with_oracle(settings, recorder))
            except SampleError as error:
                results[str(settings.stop)] = error
        if possible:
            diverged = SampleError("Diverged", "the fit diverged, even with a tenth of the learning rate")
            restored = restore_each(recorder.image, possible, seed=seed, observe=recorder)
            pairs = zip(possible, restored, strict=True)
            results |= {str(settings.stop): result or diverged for settings, result in pairs}
        return results

    def _with_oracle(self, settings: FitSettings, recorder: TraceRecorder) -> FitSettings:
        """Return the settings. If they stop by the oracle, give them an oracle for this image.

        Raises:
            SampleError: The oracle has no label. Or the image is fitted in tiles, but the oracle or the trace needs
                the whole image.
        """
        oracle, needs_oracle = recorder.oracle, isinstance(settings.stop, Oracle)
        if settings.tile and max(recorder.image.shape[-2:]) > settings.tile and (self.tracing or needs_oracle):
            message = f"fitted in tiles of {settings.tile} pixels, so no step shows the whole image: add --tile 0"
            raise SampleError("TooLarge", message)
        if not needs_oracle:
            return settings
        if oracle is None or oracle.label is None:
            raise SampleError("NoLabel", "the oracle needs a true label: the record's, the folder's name, or --label")
        return replace(settings, stop=Oracle(oracle.right))

    def _record(self, sample: Sample, chosen: FitSettings, recorder: TraceRecorder, done: "Restoration") -> Sample:
        error = (done.image - recorder.image).square().mean().item()
        stop: Record = {"criterion": str(chosen.stop), "step": done.step, "iterations": done.iterations}
        stop |= {"reason": done.reason, **({"tiles": done.tiles} if done.tiles > 1 else {})}
        stop |= {"restarted": True} if done.restarted else {}
        result = {"method": self.name, "stop": stop, "psnr_input": psnr(error)}
        # The trace of this output ends where a fit with its criterion alone would have ended.
        fitted = recorder.points if done.restarted or recorder.diverged is None else recorder.diverged
        points = [point for point in fitted if point["iteration"] <= done.iterations]
        traced = {TRACE: points} if self.tracing.trace else {}
        return replace(sample.update(denoise={**result, **traced}), pixels=to_pixels(done.image[0]))
