"""Decide what of a record goes into an image file: nothing that differs between equal runs, and no directories."""

import re
from typing import Any

from dptools.pipe.record import Record

VOLATILE = {"path", "cached", "seconds"}
"""Keys that differ between two equal runs. Image files omit them, so the same input and seed give the same bytes."""

FILE = "file"
"""The key of the embedded record that is about the file itself; see :mod:`dptools.pipe.reuse`."""

NOT_INHERITED = ("error", "skipped", "path", FILE)
"""Keys of an embedded record that describe the run that wrote the file, not the image."""

_PATH = re.compile(r"(?:/|~/|\.\.?/).*|(?!.*://).*/[^/]*\.[A-Za-z]\w*(?::\w+)?", re.DOTALL)
"""A setting that is the path of a file: it begins like a path, or has a directory and a suffix and is no URL."""


def for_file(record: Record) -> Record:
    """Return a record as it is embedded in an image file.

    Paths are reduced to their last part, because a file may be given to people who should not learn the directories of
    its owner. This concerns the id, the source, the names of models, and the parameters of the tools.
    """
    record = without_volatile(record)
    names: Record = {key: last_part(record[key]) for key in ("id", "source") if key in record}
    models = {
        key: {**value, "model": _setting(value["model"])}
        for key, value in record.items()
        if isinstance(value, dict) and "model" in value
    }
    stages = [{**entry, "params": _setting(entry.get("params"))} for entry in record.get("stages", [])]
    return {**record, **models, **names, **({"stages": stages} if stages else {})}


def without_volatile(value: Any) -> Any:
    """Return a record without the keys that differ between two equal runs, at any depth."""
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [without_volatile(item) for item in value]
    return value


def last_part(path: str) -> str:
    """Return the last part of a path; the path itself if it has none."""
    return path.rstrip("/").rpartition("/")[2] or path


def _setting(value: Any) -> Any:
    """Return a setting with every path in it reduced to its last part."""
    if isinstance(value, dict):
        return {key: _setting(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_setting(item) for item in value]
    return last_part(value) if isinstance(value, str) and _PATH.fullmatch(value) else value
