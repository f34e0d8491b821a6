"""Label maps, which translate the class names of another classifier to ImageNet classes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dptools.classifiers.classes import imagenet, normalized
from dptools.classifiers.predictions import Concept, ConceptPrediction
from dptools.errors import UsageError
from dptools.texts import printable


@dataclass(frozen=True)
class LabelMap:
    """A mapping from class names to ImageNet classes.

    Attributes:
        entries: class indices by name, normalised with :func:`dptools.classifiers.classes.normalized`.
    """

    entries: dict[str, tuple[int, ...]]

    def translate(self, named: Iterable[tuple[str, float]]) -> ConceptPrediction:
        """Return names and probabilities as a prediction about ImageNet's classes."""
        ranked = sorted(named, key=lambda pair: -pair[1])
        concepts = (Concept(name, probability, self.indices(name)) for name, probability in ranked)
        return ConceptPrediction(tuple(concepts), imagenet())

    def indices(self, name: str) -> tuple[int, ...]:
        """Return the classes of a name in the map, or else the ImageNet classes that have this name."""
        return self.entries.get(normalized(name)) or imagenet().indices(name)


def read_label_map(path: Path) -> LabelMap:
    """Read a label map from a text file.

    Each line has a name, a tab, and an ImageNet class as index, WordNet id or name. A name with several classes has
    several lines. Empty lines and lines that begin with ``#`` are ignored.

    Raises:
        UsageError: the file cannot be read, or a line is malformed.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text file in UTF-8") from None
    entries: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, index = _parse_line(line, f"{path}:{number}")
            entries[normalized(name)].append(index)
    return LabelMap({name: tuple(indices) for name, indices in entries.items()})


def _parse_line(line: str, position: str) -> tuple[str, int]:
    name, tab, label = line.partition("\t")
    if not tab or not name.strip():
        raise UsageError(f"{position}: {printable(line[:60])!r} is not a name, a tab and a class")
    try:
        return name, imagenet().index(label.strip())
    except ValueError as error:
        raise UsageError(f"{position}: {printable(str(error))}") from None
