"""dp-attack: adversarial images out of images that the classifier gets right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.attacks.registry import find
from dptools.errors import SampleError
from dptools.pipe.record import Record, reason
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolStage
from dptools.stages.images import to_pixels
from dptools.stages.labels import LabelFrom, Labels

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.attacks import Outcome
    from dptools.classifiers import Classifier


@dataclass(frozen=True)
class Attack(ToolStage):
    """Options of dp-attack."""

    tool = "dp-attack"
    key = "attack"

    attacks: tuple[str, ...]
    model: str
    weights: Path | None = None
    device: str = "auto"
    labels: Labels = field(default_factory=Labels)
    seed: int = 0

    @property
    def outputs(self) -> int:
        return len(self.attacks)

    def load(self) -> "Attacking":
        from dptools.classifiers import load

        classifier = load(self.model, self.weights, self.device)
        self.labels.check(classifier.classes)
        return Attacking(self, classifier)


@dataclass(frozen=True)
class Attacking:
    """dp-attack with its classifier loaded."""

    options: Attack
    classifier: "Classifier"

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """One for each attack, with its label settled, cut to what the classifier sees."""
        assert sample.pixels is not None
        fitted = replace(sample, pixels=self.classifier.geometry(sample.pixels))
        label = self._label(fitted)
        for name in self.options.attacks:
            yield fitted.update(id=f"{sample.id}@{name}", label=label, attack={"name": name})

    def params(self, sample: Sample) -> Record:
        attack = find(sample.record["attack"]["name"])
        facts = {"attack": attack.name, "model": self.classifier.name, "weights": self.classifier.weights}
        return {**facts, "label": sample.record["label"], **attack.params}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._attack, samples)

    def _label(self, sample: Sample) -> int:
        label = self.options.labels.find(sample, self.classifier.classes)
        if label is not None:
            return label
        if self.options.labels.source is LabelFrom.PREDICTION:
            assert sample.pixels is not None
            return int(self.classifier.probabilities(self.classifier.tensor(sample.pixels))[0].argmax())
        raise SampleError(
            "NoLabel", "no label: give --label, --label-from prediction, or a folder named by class, wnid or index"
        )

    def _attack(self, sample: Sample) -> Sample:
        assert sample.pixels is not None
        label = sample.record["label"]
        image = self.classifier.tensor(sample.pixels)
        predicted, clean_rank = self._predict(image, label)
        facts = {**sample.record["attack"], "model": self.classifier.name}
        clean = {"clean_label": predicted, "clean_rank": clean_rank}
        if predicted != label:
            name = self.classifier.classes.names[predicted]
            why = reason("dp-attack", "Misclassified", f"{self.classifier.name} already sees {name}")
            return sample.update(attack={**facts, **clean}, skipped=why)
        return self._outcome(sample, image, {**facts, **clean})

    def _outcome(self, sample: Sample, image: "Tensor", facts: Record) -> Sample:
        from dptools.attacks import perturb

        label = sample.record["label"]
        seed = sample.seed(self.options.seed)
        outcome: Outcome = perturb(find(facts["name"]), self.classifier, image, label, seed=seed)
        adversarial, adversarial_rank = self._predict(outcome.image, label)
        found = {
            "adversarial_label": adversarial,
            "adversarial_rank": adversarial_rank,
            "success": outcome.success,
            "success_float": outcome.success_float,
            "norms": outcome.norms,
            "queries": outcome.queries,
        }
        return replace(sample.update(attack={**facts, **found}), pixels=to_pixels(outcome.image))

    def _predict(self, image: "Tensor", label: int) -> tuple[int, int]:
        from dptools.classifiers import rank

        probabilities = self.classifier.probabilities(image)[0]
        return int(probabilities.argmax()), rank(probabilities, label)
