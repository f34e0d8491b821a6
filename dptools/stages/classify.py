"""dp-classify: the most probable classes of each image, and the true label's place among them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolStage
from dptools.stages.labels import Labels

if TYPE_CHECKING:
    from dptools.classifiers import Classifier


@dataclass(frozen=True)
class Classify(ToolStage):
    """Options of dp-classify."""

    tool = "dp-classify"
    key = "classify"
    makes_images = False
    gpu_batch = 32

    model: str
    weights: Path | None = None
    device: str = "auto"
    top_k: int = 5
    labels: Labels = field(default_factory=Labels)

    def load(self) -> "Classifying":
        from dptools.classifiers import load

        classifier = load(self.model, self.weights, self.device)
        self.labels.check(classifier.classes)
        return Classifying(self, classifier)


@dataclass(frozen=True)
class Classifying:
    """dp-classify with its classifier loaded."""

    options: Classify
    classifier: "Classifier"

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        return {"model": self.classifier.name, "weights": self.classifier.weights, "top_k": self.options.top_k}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        import torch

        images = torch.cat([self.classifier.tensor(sample.pixels) for sample in samples if sample.pixels is not None])
        return map(self._record, samples, self.classifier.probabilities(images))

    def _record(self, sample: Sample, probabilities: Any) -> Sample:
        from dptools.classifiers import rank

        classes = self.classifier.classes
        label = self.options.labels.find(sample, classes)
        top = probabilities.topk(min(self.options.top_k, len(classes)))
        described = [
            {**classes.describe(index), "p": round(p, 4)}
            for p, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        ]
        place = None if label is None else rank(probabilities, label)
        found = {"model": self.classifier.name, "top": described, "label_rank": place}
        return sample.update(classify=found, **({} if label is None else {"label": label}))
