"""What the indices of a classifier mean, and every way in which a person writes a class."""

import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.resources import files


@dataclass(frozen=True)
class Classes:
    """The classes of a classifier, by index.

    Attributes:
        wnids: WordNet ids; empty where the classes are not ImageNet's.
        names: one for each index.
    """

    wnids: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, text: str | int) -> int:
        """The index that an index, a wnid or a class name stands for; case, spaces and underscores do not matter.

        Raises:
            ValueError: no class, or more than one, goes by it; the message says so.
        """
        key = folded(str(text))
        if re.fullmatch(r"\d{1,9}", key):
            if int(key) < len(self):
                return int(key)
            raise ValueError(f"label {text} is not between 0 and {len(self) - 1}")
        found = self._by_key.get(key, [])
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"label {text!r} means {len(found)} classes ({_choices(self, found)}); give the wnid")
        raise ValueError(f"unknown label {text!r}: neither index, wnid nor class name")

    def near(self, text: str) -> list[str]:
        """Names that are nearly this one."""
        return get_close_matches(folded(text), dict.fromkeys(map(folded, self.names)), n=3, cutoff=0.75)

    def named(self, name: str) -> tuple[int, ...]:
        """The classes of this name: none, one or, as of the two cranes, several."""
        return tuple(self._by_key.get(folded(name), ()))

    def describe(self, index: int) -> dict[str, str | int]:
        """The class as it stands in records: index, and wnid and name where there are any."""
        wnid = {"wnid": self.wnids[index]} if index < len(self.wnids) else {}
        return {"index": index, **wnid, "name": self.names[index]}

    @cached_property
    def _by_key(self) -> dict[str, list[int]]:
        keys: dict[str, list[int]] = defaultdict(list)
        for index, text in [*enumerate(self.wnids), *enumerate(self.names)]:
            keys[folded(text)].append(index)
        return keys


@cache
def imagenet() -> Classes:
    """The 1,000 classes of ILSVRC 2012, in the order of their WordNet ids."""
    table = files("dptools.classifiers").joinpath("imagenet.tsv").read_text("utf-8")
    wnids, names = zip(*(line.split("\t") for line in table.splitlines()), strict=True)
    return Classes(wnids, names)


def numbered(count: int) -> Classes:
    """ImageNet's classes if there are 1,000 of them, else classes that are known by their index only."""
    return imagenet() if count == 1000 else Classes((), tuple(f"class {index}" for index in range(count)))


def folded(text: str) -> str:
    """What names are that differ in case, spaces and underscores only."""
    return re.sub(r"[\s_]+", " ", text).strip().casefold()


def _choices(classes: Classes, indices: list[int]) -> str:
    return ", ".join(classes.wnids[index] if classes.wnids else str(index) for index in indices)
