"""A classifier that looks on while an image is restored: for the oracle, and for a trace."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.tools.shared import Labels, to_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.classifiers import Classifier

TOP = 5
"""Among so many classes the Deep Protection paper looks for the label."""


@dataclass(frozen=True)
class OracleClassifier:
    """What a classifier says of the images on the way to one sample's restored one.

    Attributes:
        label: the true class; None where it is not known.
        wrong: the class that an attack made of it; None where there was no attack, or no success.
    """

    classifier: "Classifier"
    label: int | None
    wrong: int | None

    @classmethod
    def of(cls, sample: Sample, classifier: "Classifier", labels: Labels) -> "OracleClassifier":
        """The judge for a sample."""
        attack = sample.record.get("attack")
        wrong = attack.get("adversarial_label") if isinstance(attack, dict) else None
        label = labels.find(sample, classifier.classes)
        return cls(classifier, label, None if wrong == label else wrong)

    def right(self, image: "Tensor") -> bool:
        """The top five hold the true label, and not the wrong one; 1 x 3 x H x W."""
        found = self._probabilities(image)
        top = found.topk(min(TOP, len(found))).indices.tolist()
        return self.label in top and self.wrong not in top

    def scores(self, image: "Tensor") -> Record:
        """For a trace: ``top``, the most probable classes; the ranks and probabilities of the two labels."""
        from dptools.classifiers import rank

        found = self._probabilities(image)
        best = found.topk(min(TOP, len(found)))
        top = [
            {**self.classifier.classes.describe(index), "p": round(p, 4)}
            for p, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        scores: Record = {"top": top}
        for name, label in (("label", self.label), ("adversarial", self.wrong)):
            if label is not None:
                scores |= {f"{name}_rank": rank(found, label), f"{name}_p": round(found[label].item(), 4)}
        return scores

    def _probabilities(self, image: "Tensor") -> "Tensor":
        """Of the image as it would be saved: rounded to 8 bits, then brought to the classifier's size."""
        return self.classifier.probabilities(self.classifier.tensor(to_pixels(image)))[0]
