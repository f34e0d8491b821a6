"""Record the points of a trace and intermediate images during a fit."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.classifiers.names import ClassifierOptions
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target, write_extra
from dptools.pixels import to_pixels
from dptools.tools.denoise.oracle import OracleClassifier
from dptools.tools.shared import Labels, psnr

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.classifiers import Classifier
    from dptools.purifiers.dip import Step


@dataclass(frozen=True)
class TraceOptions:
    """What to record during each fit. The object is true if a trace or images are requested.

    Attributes:
        every: Iterations between two points of the trace.
        trace: The file for the trace; None for no trace.
        keep: The directory for the image at each point; None to keep no images.
        model: The name of the classifier that observes the fit; None for no classifier.
        given: The options of the classifier.
        labels: The source of true labels.
    """

    every: int = 50
    trace: Path | None = None
    keep: Path | None = None
    model: str | None = None
    given: ClassifierOptions = field(default_factory=ClassifierOptions)
    labels: Labels = field(default_factory=Labels)

    def __bool__(self) -> bool:
        return bool(self.trace or self.keep)

    @property
    def params(self) -> Record:
        """The options that belong in the cache key."""
        return {"every": self.every, "trace": bool(self.trace), "keep": bool(self.keep)} if self else {}

    def classifier(self, device: str) -> "Classifier | None":
        """Load the classifier that observes the fit."""
        if self.model is None:
            return None
        from dptools.classifiers import load

        classifier = load(self.model, device=device, **vars(self.given))
        self.labels.check(classifier.classes)
        return classifier


@dataclass
class TraceRecorder:
    """Observes one image's fit.

    Attributes:
        options: What to record.
        sample: The sample before the fit. Its record is copied into intermediate images.
        image: The image of the sample, 1 x 3 x H x W in [0, 1].
        oracle: Classifies the intermediate images; None for no classes in the trace.
        points: The points of the trace that were recorded so far.
        diverged: The points of a fit that diverged and was restarted; None if there was none. Criteria that were met
            before the divergence use them.
    """

    options: TraceOptions
    sample: Sample
    image: "Tensor"
    oracle: OracleClassifier | None
    points: list[Record] = field(default_factory=list)
    diverged: list[Record] | None = None

    def __call__(self, step: "Step") -> None:
        """Record the step if its iteration is a multiple of ``every``."""
        if step.iteration == 1:
            if self.points:  # of a fit that diverged and is restarted
                self.diverged = list(self.points)
            self.points.clear()
        if self.options and step.iteration % self.options.every == 0:
            self.points.append(self._point(step))
            if self.options.keep:
                self._keep(step, self.options.keep)

    def _point(self, step: "Step") -> Record:
        error = (step.average - self.image).square().mean().item()
        point: Record = {"iteration": step.iteration, "loss": round(step.loss, 6), "psnr_input": psnr(error)}
        if step.held_out is not None:
            point["held_out"] = round(step.held_out, 8)
        return {**point, **(self.oracle.scores(step.average) if self.oracle else {})}

    def _keep(self, step: "Step", directory: Path) -> None:
        from dptools.pipe.encoding import encode

        method = (self.sample.entry or {}).get("params", {}).get("method")
        sample = self.sample.update(id=f"{self.sample.id}@step{step.iteration:04d}", denoise={"method": method})
        entries = [sample.entry] if sample.entry else []
        record = {**sample.record, "stages": [*sample.record.get("stages", []), *entries]}
        record["denoise"] |= self.points[-1]
        write_extra(target(directory, sample.id), encode(to_pixels(step.average[0]), record), directory, self.sample)
