"""Whether the true label is among the first predicted classes."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dptools.classifiers.classes import imagenet, normalized
from dptools.evaluation.keys import Record

TOPS = (1, 5)
"""The numbers of classes by which accuracy is measured."""

Hits = tuple[bool | None, bool | None]
"""Whether the label is the first class, and whether it is among the first five; None if unknown."""

UNKNOWN: Hits = (None, None)


def hits(record: Record) -> Hits:
    """Return whether the label of a record is among its predicted classes.

    ``classify.label_rank`` decides. Records of other programs may lack it; then ``label`` is looked up in
    ``classify.top``. If that lists fewer than five classes, top-5 is unknown, whether or not the label is among them:
    to count only the label's presence would bias the rate. If label and classes cannot be compared, both are unknown.
    """
    classify = record.get("classify") or {}
    if "label_rank" in classify:
        return hits_of_rank(classify["label_rank"])
    label, top = record.get("label"), classify.get("top") or []
    if label is None or not top:
        return UNKNOWN
    first, fifth = (_any(_is_class(label, entry) for entry in top[:k]) if len(top) >= k else None for k in TOPS)
    return first, fifth


def hits_of_rank(rank: int | None) -> Hits:
    """Return the hits that follow from the rank of the label; unknown without a rank."""
    return UNKNOWN if rank is None else (rank <= TOPS[0], rank <= TOPS[1])


def _is_whole(value: float | str) -> bool:
    return isinstance(value, float) and value.is_integer()


@lru_cache(maxsize=65536)
def same_class(first: float | str, second: float | str) -> bool | None:
    """Return whether two texts name the same class: equal texts, or the same ImageNet class.

    Pandas writes indices as 243.0 if another one is missing.

    Returns:
        None if one is an index and the other is not a name or wnid of ImageNet, so that they cannot be compared.
    """
    one, other = (normalized(f"{each:.0f}" if _is_whole(each) else str(each)) for each in (first, second))
    indices = imagenet_index(one), imagenet_index(other)
    if one == other:
        return True
    if one.isdecimal() != other.isdecimal() and None in indices:
        return None
    return indices[0] is not None and indices[0] == indices[1]


def imagenet_index(text: str) -> int | None:
    """Return the index that a text states, or that of the ImageNet class of this name or wnid; None for others."""
    if text.isdecimal() and len(text) < 10:
        return int(text)
    indices = imagenet().indices(text)
    return indices[0] if len(indices) == 1 else None


def _is_class(label: int | str, entry: Mapping[str, Any]) -> bool | None:
    names = (entry.get(key) for key in ("index", "wnid", "name"))
    results = {same_class(label, name) for name in names if name is not None}
    return True if True in results else False if False in results else None


def _any(results: Iterable[bool | None]) -> bool | None:
    """Return true if any result is true; None if none is, but some are unknown."""
    found = set(results)
    return True if True in found else None if None in found else False
