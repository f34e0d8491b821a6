"""Classify the intermediate images of a fit, for the oracle and for the trace."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.errors import SampleError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pixels import to_pixels
from dptools.tools.shared import Labels

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.classifiers import Classifier

TOP = 5
"""The oracle looks for the label among this number of classes, as in the Deep Protection paper."""


@dataclass(frozen=True)
class OracleClassifier:
    """Classifies the intermediate images of one sample's fit.

    Attributes:
        classifier: The classifier.
        label: The index of the true class; None if it is unknown.
        adversarial: The index of the class that the attack reached; None without an attack, or if it equals ``label``.
    """

    classifier: "Classifier"
    label: int | None
    adversarial: int | None

    @classmethod
    def of(cls, sample: Sample, classifier: "Classifier", labels: Labels) -> "OracleClassifier":
        """Return the oracle for a sample.

        Raises:
            SampleError: A label in the record is not a class of the classifier.
        """
        attack = sample.record.get("attack")
        adversarial = attack.get("adversarial_label") if isinstance(attack, dict) else None
        if adversarial is not None:
            try:
                adversarial = classifier.classes.index(adversarial)
            except ValueError as error:
                raise SampleError("UnknownLabel", f"the adversarial {error}") from None
        label = labels.find(sample, classifier.classes)
        return cls(classifier, label, None if adversarial == label else adversarial)

    def right(self, image: "Tensor") -> bool:
        """Return whether the top-5 classes of an image, 1 x 3 x H x W, include the true but not the adversarial one."""
        probabilities = self._probabilities(image)
        top = probabilities.topk(min(TOP, len(probabilities))).indices.tolist()
        return self.label in top and self.adversarial not in top

    def scores(self, image: "Tensor") -> Record:
        """Return the most probable classes of an image, and rank and probability of the true and adversarial one."""
        from dptools.classifiers import rank

        probabilities = self._probabilities(image)
        best = probabilities.topk(min(TOP, len(probabilities)))
        top = [
            {**self.classifier.classes.describe(index), "p": round(p, 4)}
            for p, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        scores: Record = {"top": top}
        for name, label in (("label", self.label), ("adversarial", self.adversarial)):
            if label is not None:
                scores |= {
                    f"{name}_rank": rank(probabilities, label),
                    f"{name}_p": round(probabilities[label].item(), 4),
                }
        return scores

    def _probabilities(self, image: "Tensor") -> "Tensor":
        """Return the class probabilities of the image as it would be saved: rounded to 8 bits, then resized."""
        return self.classifier.probabilities(self.classifier.tensor(to_pixels(image[0])))[0]
