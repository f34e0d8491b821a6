"""What is told of a fit on the way: points for a trace, and images to keep."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.classifiers.names import ClassifierOptions
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target, write
from dptools.tools.denoise.oracle import OracleClassifier
from dptools.tools.shared import Labels, psnr, to_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.classifiers import Classifier
    from dptools.purifiers.dip import Step


@dataclass(frozen=True)
class TraceOptions:
    """What is wanted of the way to a restored image, besides the image.

    Attributes:
        every: iterations from one look to the next.
        trace: the file for what each look finds.
        keep: the directory for the image of each look.
        model: the classifier that looks on; None for none.
        given: what is said of it besides its name.
        labels: how it knows the true classes.
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
        """What of it decides what is made: an image file holds its trace, and those that are kept are made with it."""
        return {"every": self.every, "trace": bool(self.trace), "keep": bool(self.keep)} if self else {}

    def classifier(self, device: str) -> "Classifier | None":
        """The classifier that looks on, loaded."""
        if self.model is None:
            return None
        from dptools.classifiers import load

        found = load(self.model, device=device, **vars(self.given))
        self.labels.check(found.classes)
        return found


@dataclass
class TraceRecorder:
    """The looks at one image's fit.

    Attributes:
        sample: as it is read; what is kept carries its record.
        image: the sample's, 1 x 3 x H x W.
        points: what the looks found, for the trace.
    """

    looking: TraceOptions
    sample: Sample
    image: "Tensor"
    judge: OracleClassifier | None
    points: list[Record] = field(default_factory=list)

    def __call__(self, step: "Step") -> None:
        """Look at a step, if it is its turn."""
        if step.iteration == 1:
            self.points.clear()  # those of a fit that diverged
        if self.looking and step.iteration % self.looking.every == 0:
            self.points.append(self._point(step))
            if self.looking.keep:
                self._keep(step, self.looking.keep)

    def _point(self, step: "Step") -> Record:
        error = (step.average - self.image).square().mean().item()
        found = {"iteration": step.iteration, "loss": round(step.loss, 6), "psnr_input": psnr(error)}
        if step.held_out is not None:
            found["held_out"] = round(step.held_out, 8)
        return {**found, **(self.judge.scores(step.average) if self.judge else {})}

    def _keep(self, step: "Step", directory: Path) -> None:
        from dptools.pipe.image import encode

        kept = self.sample.update(id=f"{self.sample.id}@step{step.iteration:04d}", denoise={"method": "dip"})
        kept = replace(kept, pixels=to_pixels(step.average))
        record = {**kept.record, "stages": [*kept.record.get("stages", []), *([kept.entry] if kept.entry else [])]}
        record["denoise"] |= self.points[-1]
        assert kept.pixels is not None
        write(target(directory, kept.id), encode(kept.pixels, record), directory)
