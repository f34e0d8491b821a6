"""Class names and WordNet ids, and the conversion of user input to a class index."""

import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.resources import files


@dataclass(frozen=True)
class Classes:
    """The classes of a classifier, ordered by index.

    Attributes:
        wnids: the WordNet id of each class; empty if the classes are not ImageNet's. May be shorter than ``names``.
        names: the name of each class.
    """

    wnids: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)

    def index(self, text: str | int) -> int:
        """Return the index of the class given by index, WordNet id or name.

        Names are compared without regard to case, and underscores count as spaces. A text that is the name of a class
        is that class, even if it is a number. If several names differ only in case, a text in the exact case of one
        decides, but only for classes without WordNet ids: Cardigan, a dog, and cardigan need their WordNet ids.

        Raises:
            ValueError: no class or more than one class matches. The message can be shown to users.
        """
        if isinstance(text, str) and not self.wnids and self.names.count(text) == 1:
            return self.names.index(text)
        key = normalized(str(text))
        matches = self._indices.get(key, []) if isinstance(text, str) else []
        if not matches and re.fullmatch(r"\d{1,9}", key):
            if int(key) < len(self):
                return int(key)
            raise ValueError(f"label {text} is not between 0 and {len(self) - 1}")
        if len(matches) == 1:
            return matches[0]
        if matches:
            choices = ", ".join(self.wnids[index] if self.wnids else str(index) for index in matches)
            raise ValueError(f"label {text!r} is the name of {len(matches)} classes: use one of {choices}")
        if self.wnids:
            raise ValueError(f"unknown label {text!r}: neither index, wnid nor class name")
        raise ValueError(f"unknown label {text!r}: neither an index from 0 to {len(self) - 1} nor a class of the model")

    def similar(self, text: str) -> list[str]:
        """Return at most five class names: those that contain the text as a word, then those spelled like it."""
        text, names = normalized(text), dict.fromkeys(map(normalized, self.names))
        containing = [name for name in names if text and f" {text} " in f" {name} "]
        return list(dict.fromkeys([*containing, *get_close_matches(text, names, n=3, cutoff=0.75)]))[:5]

    def indices(self, name: str) -> tuple[int, ...]:
        """Return the indices of all classes with this name or WordNet id, without regard to case.

        In ImageNet, only ``cardigan`` is the name of two classes.
        """
        return tuple(self._indices.get(normalized(name), ()))

    def describe(self, index: int) -> dict[str, str | int]:
        """Return the class as it is stored in records: ``index``, ``wnid`` if it has one, and ``name``."""
        wnid = {"wnid": self.wnids[index]} if index < len(self.wnids) else {}
        return {"index": index, **wnid, "name": self.names[index]}

    @cached_property
    def _indices(self) -> dict[str, list[int]]:
        indices: dict[str, list[int]] = defaultdict(list)
        for index, text in [*enumerate(self.wnids), *enumerate(self.names)]:
            indices[normalized(text)].append(index)
        return indices


@cache
def imagenet() -> Classes:
    """Return the 1,000 classes of ILSVRC 2012, ordered by WordNet id."""
    table = files("dptools.classifiers").joinpath("imagenet.tsv").read_text("utf-8")
    wnids, names = zip(*(line.split("\t") for line in table.splitlines()), strict=True)
    return Classes(wnids, names)


def numbered(count: int) -> Classes:
    """Return ImageNet's classes if ``count`` is 1,000, and otherwise classes named ``class 0``, ``class 1``, ..."""
    return imagenet() if count == 1000 else Classes((), tuple(f"class {index}" for index in range(count)))


def normalized(text: str) -> str:
    """Return the text in lower case, with each run of spaces and underscores replaced by one space."""
    return re.sub(r"[\s_]+", " ", text).strip().casefold()
