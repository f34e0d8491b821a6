"""What a classifier says of an image: classes, the most probable first, and the place of any among them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dptools.classifiers.classes import Classes

Described = dict[str, str | int | float]
"""A class as it stands in records: ``name`` and ``p``; ``index`` and ``wnid`` where it has them."""


class Answer(Protocol):
    """What is said of one image."""

    def top(self, count: int) -> list[Described]:
        """The most probable classes."""

    def rank(self, label: int) -> int:
        """The label's place, 1 for the most probable class; ties count against it."""

    def named(self) -> Iterable[tuple[str, float]]:
        """All that is said: names and probabilities."""


@dataclass(frozen=True)
class Scores:
    """The probability of every class, of a classifier that knows them all."""

    probabilities: Tensor
    classes: Classes

    def top(self, count: int) -> list[Described]:
        best = self.probabilities.topk(min(count, len(self.probabilities)))
        found = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [{**self.classes.describe(index), "p": round(p, 4)} for p, index in found]

    def rank(self, label: int) -> int:
        return rank(self.probabilities, label)

    def named(self) -> Iterable[tuple[str, float]]:
        return zip(self.classes.names, self.probabilities.tolist(), strict=True)


@dataclass(frozen=True)
class Concept:
    """Something that an image shows, in a service's own words.

    Attributes:
        means: classes that it may be, by index: of ``dog``, all breeds.
    """

    name: str
    p: float
    means: tuple[int, ...] = ()


@dataclass(frozen=True)
class Concepts:
    """The most probable of many concepts, of which some mean classes; the most probable first."""

    concepts: tuple[Concept, ...]
    classes: Classes

    def top(self, count: int) -> list[Described]:
        return [{**self._described(concept), "p": round(concept.p, 4)} for concept in self.concepts[:count]]

    def rank(self, label: int) -> int:
        """The place of the first that means the label; if none does, one behind every concept and class."""
        known = [concept.p for concept in self.concepts if label in concept.means]
        if not known:
            return 1 + max(len(self.concepts), len(self.classes))
        return 1 + sum(label not in concept.means and concept.p >= max(known) for concept in self.concepts)

    def named(self) -> Iterable[tuple[str, float]]:
        return ((concept.name, concept.p) for concept in self.concepts)

    def _described(self, concept: Concept) -> Described:
        if len(concept.means) != 1:
            return {"name": concept.name}
        return {**self.classes.describe(concept.means[0]), "name": concept.name}


def rank(probabilities: Tensor, label: int) -> int:
    """Place of the label, 1 for the most probable class, in one row of probabilities; ties count against it."""
    return int((probabilities >= probabilities[label]).sum())
