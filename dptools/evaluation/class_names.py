"""Names and probabilities of the classes in records, as texts for figures."""

from collections.abc import Mapping
from typing import Any

from dptools.evaluation.keys import Record
from dptools.texts import printable

MAX_CLASSES = 10
"""Maximum number of classes in a figure."""


def top_classes(record: Record) -> list[tuple[str, float]]:
    """Return names and probabilities of the most probable classes of a record, at most MAX_CLASSES."""
    return [(_short_name(entry), entry.get("p") or 0.0) for entry in _top(record)[:MAX_CLASSES]]


def true_class(record: Record, before: Record | None) -> str:
    """Return the name of the true class; empty if it is not among the most probable classes of the records."""
    label = record.get("label")
    if label is None:
        return ""
    entries = [*_top(record), *_top(before)]
    matches = (entry for entry in entries if label in (entry.get("index"), entry.get("wnid"), entry.get("name")))
    return next(map(_short_name, matches), "")


def class_names(attack: Mapping[str, Any], *records: Record | None) -> dict[Any, str]:
    """Return the names of classes by index, from the attack and from the most probable classes of the records."""
    entries = [entry for record in records for entry in _top(record)]
    entries += [
        {"index": attack.get(f"{kind}_label"), "name": attack.get(f"{kind}_name")} for kind in ("clean", "adversarial")
    ]
    return {
        entry["index"]: _short_name(entry) for entry in entries if entry.get("index") is not None and entry.get("name")
    }


def describe_class(names: Mapping[Any, str], index: Any, p: float | None) -> str:
    """Return the name of a class and its probability in per cent; empty if the class is unknown."""
    if index is None:
        return ""
    return names.get(index, printable(f"class {index}")) + ("" if p is None else f"  {100 * p:.0f} %")


def _top(record: Record | None) -> list[Mapping[str, Any]]:
    return (record or {}).get("classify", {}).get("top") or []


def _short_name(entry: Mapping[str, Any]) -> str:
    """Return the first of a class's synonyms, which ImageNet separates by commas."""
    return printable(str(entry.get("name") or f"class {entry.get('index')}").split(",")[0])
