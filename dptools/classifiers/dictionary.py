"""What a classifier's own names mean among the classes of ImageNet."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dptools.classifiers.answers import Concept, Concepts
from dptools.classifiers.classes import folded, imagenet
from dptools.errors import UsageError
from dptools.texts import printable


@dataclass(frozen=True)
class Dictionary:
    """Names, and the classes that they may be.

    Attributes:
        meanings: indices by :func:`dptools.classifiers.classes.folded` name.
    """

    meanings: dict[str, tuple[int, ...]]

    def translate(self, said: Iterable[tuple[str, float]]) -> Concepts:
        """What is said in names and probabilities, understood."""
        named = sorted(said, key=lambda each: -each[1])
        return Concepts(tuple(Concept(name, p, self.means(name)) for name, p in named), imagenet())

    def means(self, name: str) -> tuple[int, ...]:
        """The classes that a name stands for: as it is written here or, where it is not, those of the same name."""
        return self.meanings.get(folded(name)) or imagenet().named(name)


def read_dictionary(path: Path) -> Dictionary:
    """A dictionary from a file of lines: a name, a tab, and an ImageNet class as an index, a wnid or a name. A name
    that may be several classes has several lines; empty lines and those that begin with ``#`` say nothing.

    Raises:
        UsageError: it cannot be read, or a line says nothing that can be understood.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not a text file in UTF-8") from None
    found: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, index = _entry(line, f"{path}:{number}")
            found[folded(name)].append(index)
    return Dictionary({name: tuple(indices) for name, indices in found.items()})


def _entry(line: str, place: str) -> tuple[str, int]:
    name, tab, label = line.partition("\t")
    if not tab or not name.strip():
        raise UsageError(f"{place}: {printable(line[:60])!r} is not a name, a tab and a class")
    try:
        return name, imagenet().index(label.strip())
    except ValueError as error:
        raise UsageError(f"{place}: {printable(str(error))}") from None
