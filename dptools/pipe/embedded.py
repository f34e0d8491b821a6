"""Decide what of a record goes into an image file: nothing that differs between equal runs, and no directories."""

import re
from typing import Any

from dptools.pipe.record import Record
from dptools.pipe.shard_names import split

VOLATILE = {"path", "cached", "seconds"}
"""Keys of a record and of its ``stages`` that differ between two equal runs.

Image files omit them, so the same input and seed give the same bytes.
"""

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


def for_shard(record: Record) -> Record:
    """Return a record as it is written beside its image in a shard.

    It is as :func:`for_file` returns it, except that the id stays unique in the shard. The id and the source keep the
    directories that the name of the image in the shard has, but not those of an input shard.
    """
    sample_id = str(record.get("id", ""))
    kept: Record = {}
    if "id" in record:
        kept["id"] = _without_shard_directory(sample_id) or sample_id
    if "source" in record:
        kept["source"] = _without_shard_directory(record["source"]) or _common_tail(record["source"], sample_id)
    return {**for_file(record), **kept}


def without_volatile(record: Record) -> Record:
    """Return a record without the keys that differ between two equal runs. Objects of the user keep theirs."""
    stages = {"stages": [_stable(entry) for entry in record["stages"]]} if "stages" in record else {}
    return {**_stable(record), **stages}


def _stable(value: Record) -> Record:
    return {key: item for key, item in value.items() if key not in VOLATILE}


def _without_shard_directory(path: str) -> str | None:
    """Return ``a.tar#n01/b`` for ``imgs/a.tar#n01/b``; None for a path that names no member of a shard."""
    parts = split(path)
    return f"{last_part(parts[0])}#{parts[1]}" if parts else None


def _common_tail(path: str, sample_id: str) -> str:
    """Return the last part of a path, after the directories that the id has in the same place."""
    directories = sample_id.split("/")[:-1]
    parts = path.split("/")[-len(directories) - 1 :]
    return "/".join(parts) if parts[:-1] == directories else last_part(path)


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
