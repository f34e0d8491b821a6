"""Predictions for one image: the most probable classes, and the rank of a given class."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dptools.classifiers.classes import Classes

ClassRecord = dict[str, str | int | float]
"""A class in a record: ``name`` and probability ``p``, and ``index`` and ``wnid`` if they are known."""


class Prediction(Protocol):
    """What a classifier predicts for one image."""

    def top(self, count: int) -> list[ClassRecord]:
        """Return at most ``count`` classes, the most probable first."""

    def rank(self, label: int) -> int:
        """Return the rank of the class with index ``label``: 1 is the most probable; ties count against the label."""

    def named(self) -> Iterable[tuple[str, float]]:
        """Return the names and probabilities of all classes."""


@dataclass(frozen=True)
class ClassProbabilities:
    """The prediction of a classifier that gives a probability for every class.

    Attributes:
        probabilities: one value per class, shape (classes,).
        classes: the meaning of the indices.
    """

    probabilities: Tensor
    classes: Classes

    def top(self, count: int) -> list[ClassRecord]:
        best = self.probabilities.topk(min(count, len(self.probabilities)))
        pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [{**self.classes.describe(index), "p": round(probability, 4)} for probability, index in pairs]

    def rank(self, label: int) -> int:
        return rank(self.probabilities, label)

    def named(self) -> Iterable[tuple[str, float]]:
        return zip(self.classes.names, self.probabilities.tolist(), strict=True)


@dataclass(frozen=True)
class Concept:
    """A concept that a service detects in an image.

    Attributes:
        name: the service's name for the concept.
        probability: the service's probability for it, in [0, 1].
        indices: the classes that the concept can stand for, such as all dog breeds for ``dog``; may be empty.
    """

    name: str
    probability: float
    indices: tuple[int, ...] = ()


@dataclass(frozen=True)
class ConceptPrediction:
    """The prediction of a service that lists only its most probable concepts.

    Attributes:
        concepts: the most probable first.
        classes: the classes that the concepts' indices refer to.
    """

    concepts: tuple[Concept, ...]
    classes: Classes

    def top(self, count: int) -> list[ClassRecord]:
        return [{**self._describe(concept), "p": round(concept.probability, 4)} for concept in self.concepts[:count]]

    def rank(self, label: int) -> int:
        """Return the rank of the most probable concept that can stand for the label.

        If there is no such concept, the label ranks after all concepts and classes.
        """
        best = max((concept.probability for concept in self.concepts if label in concept.indices), default=None)
        if best is None:
            return 1 + max(len(self.concepts), len(self.classes))
        return 1 + sum(label not in concept.indices and concept.probability >= best for concept in self.concepts)

    def named(self) -> Iterable[tuple[str, float]]:
        return ((concept.name, concept.probability) for concept in self.concepts)

    def _describe(self, concept: Concept) -> ClassRecord:
        if len(concept.indices) != 1:
            return {"name": concept.name}
        return {**self.classes.describe(concept.indices[0]), "name": concept.name}


def rank(probabilities: Tensor, label: int) -> int:
    """Return the rank of a label by probabilities, shape (classes,): 1 is the most probable; ties count against it."""
    return int((probabilities >= probabilities[label]).sum())
