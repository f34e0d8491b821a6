"""Files with the class names of a model."""

import json
from pathlib import Path
from typing import Any

from dptools.classifiers.classes import Classes
from dptools.errors import UsageError
from dptools.texts import printable


def read_classes(path: Path) -> Classes:
    """Read the classes of a model from a text or JSON file.

    The file is one of: lines with one name each, in the order of the outputs; a JSON list of names; a JSON object from
    index to name; a JSON object from name to index, as torchvision's ``class_to_idx``. In JSON, a name can also be a
    list of WordNet id and name.

    Raises:
        UsageError: the file cannot be read, or it does not give one name for each index from 0.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"classes {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"classes {path}: not a text file in UTF-8") from None
    entries = _json_entries(text, path) if text.lstrip().startswith(("[", "{")) else _lines(text)
    wnids, names = [], []
    for index, entry in enumerate(entries):
        wnid, name = entry if isinstance(entry, list) and len(entry) == 2 else ("", entry)
        if not isinstance(name, str) or not name.strip() or not isinstance(wnid, str):
            raise UsageError(f"classes {path}: class {index} has no name: {printable(repr(entry)[:60])}")
        wnids.append(wnid)
        names.append(name.strip())
    if len(names) < 2:
        raise UsageError(f"classes {path}: it gives {len(names)} names, and a classifier has 2 classes or more")
    return Classes(tuple(wnids) if all(wnids) else (), tuple(names))


def _lines(text: str) -> list[Any]:
    """Return the lines, without empty ones at the end. An empty line between names is an entry, which is an error."""
    return text.rstrip().splitlines()


def _json_entries(text: str, path: Path) -> list[Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"classes {path}: not valid JSON: {error}") from None
    if isinstance(content, list):
        return content
    by_name = content and all(type(value) is int for value in content.values())
    keys, names = (content.values(), content) if by_name else (content, content.values())
    try:
        indices = [int(key) for key in keys]
    except ValueError:
        raise UsageError(f"classes {path}: expected a JSON object from index to name or from name to index") from None
    if sorted(indices) != list(range(len(indices))):
        raise UsageError(f"classes {path}: expected each index from 0 to {len(indices) - 1} once")
    by_index = dict(zip(indices, names, strict=True))
    return [by_index[index] for index in range(len(indices))]
