"""dp-denoise at work with the prior."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from dptools.errors import SampleError
from dptools.pipe.record import TRACE, Record
from dptools.pipe.sample import Sample
from dptools.purifiers.dip.presets import Preset
from dptools.purifiers.dip.published import Oracle
from dptools.tools.denoise.oracle import OracleClassifier
from dptools.tools.denoise.tracing import TraceOptions, TraceRecorder
from dptools.tools.shared import psnr, to_pixels, to_tensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dptools.classifiers import Classifier
    from dptools.purifiers.dip import Restored, Wanted


@dataclass(frozen=True)
class Restoring:
    """The prior with all that it needs.

    Attributes:
        name: of the preset that the settings began with.
        preset: the settings.
        seed: the run's.
        looking: what is wanted besides the image.
        classifier: for the oracle and for a trace.
    """

    name: str
    preset: Preset
    device: "torch.device"
    seed: int = 0
    looking: TraceOptions = field(default_factory=TraceOptions)
    classifier: "Classifier | None" = None

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample.without("classify")]  # it was said of the image as it is read

    def params(self, sample: Sample) -> Record:
        from dptools.purifiers.precision import effective

        settings = {**asdict(self.preset), "precision": effective(self.device, self.preset.precision)}
        rule = {"name": str(self.preset.rule), **settings["rule"]}
        rule.pop("right", None)  # whom the oracle asks stands under "model"
        asked: Record = {"model": self.classifier.name, "weights": self.classifier.weights} if self.classifier else {}
        where = {"device": self.device.type}
        if self.classifier:
            judge = OracleClassifier.of(sample, self.classifier, self.looking.labels)
            asked |= {"label": judge.label, "wrong": judge.wrong}
        if self.preset.network == "warm":
            from dptools.purifiers.denoiser.warm import fingerprint

            where["warm"] = fingerprint()
        return {"method": "dip", "preset": self.name, **settings, "rule": rule, **where, **self.looking.params, **asked}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """All side by side, where the device gains by it."""
        from dptools.purifiers.dip import Restored, restore_all

        looks = [self._looks(sample) for sample in samples]
        plans = [self._plan(sample, each) for sample, each in zip(samples, looks, strict=True)]
        restored = iter(restore_all([plan for plan in plans if not isinstance(plan, SampleError)]))
        for sample, look, plan in zip(samples, looks, plans, strict=True):
            done = plan if isinstance(plan, SampleError) else next(restored)
            if isinstance(done, Restored):
                yield self._record(sample, look, done)
            else:
                yield sample.fail("dp-denoise", done.kind, done.message)

    def _looks(self, sample: Sample) -> TraceRecorder:
        judge = OracleClassifier.of(sample, self.classifier, self.looking.labels) if self.classifier else None
        return TraceRecorder(self.looking, sample, to_tensor(sample, self.device), judge)

    def _plan(self, sample: Sample, looks: TraceRecorder) -> "Wanted | SampleError":
        from dptools.purifiers.dip import Wanted

        try:
            return Wanted(looks.image, self._told(looks.image, looks.judge), sample.seed(self.seed), looks)
        except SampleError as error:
            return error

    def _record(self, sample: Sample, looks: TraceRecorder, restored: "Restored") -> Sample:
        error = (restored.image - looks.image).square().mean().item()
        found = {"method": "dip", "preset": self.name, "stop": self._stop(restored), "psnr_input": psnr(error)}
        traced = {TRACE: looks.points} if self.looking.trace else {}
        return replace(sample.update(denoise={**found, **traced}), pixels=to_pixels(restored.image))

    def _told(self, image: "Tensor", judge: OracleClassifier | None) -> Preset:
        """The settings for one image, whose oracle knows whom to ask.

        Raises:
            SampleError: there is no label for the oracle, or the image is never seen whole.
        """
        tile, rule = self.preset.tile, self.preset.rule
        if tile and max(image.shape[-2:]) > tile and (self.looking or isinstance(rule, Oracle)):
            message = f"it is done in tiles of {tile} pixels, and never seen whole on the way: give --tile 0"
            raise SampleError("TooLarge", message)
        if not isinstance(rule, Oracle):
            return self.preset
        if judge is None or judge.label is None:
            raise SampleError("NoLabel", "the oracle needs a true label: in the record, as the folder, or by --label")
        return replace(self.preset, rule=replace(rule, right=judge.right))

    def _stop(self, restored: "Restored") -> Record:
        done = {"step": restored.step, "iterations": restored.iterations, "reason": restored.reason}
        tiles = {"tiles": restored.tiles} if restored.tiles > 1 else {}
        restarted = {"restarted": True} if restored.restarted else {}
        return {"rule": str(self.preset.rule), **done, **tiles, **restarted}
