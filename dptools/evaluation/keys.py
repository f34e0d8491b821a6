"""Keys by which records are grouped."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dptools.texts import printable

Record = Mapping[str, Any]

ATTACK = "attack"
"""The default key of groups."""

NONE = "none"
"""The name of the group of records without the key."""

ALL = "all"
"""The name of the total over all groups."""


def is_scored(record: Record) -> bool:
    """Return whether a record counts in rates: it neither failed nor was skipped.

    The key ``skipped`` is lost when only image files are passed between tools. A skipped image is then recognised by
    its ``attack`` object, which has ``clean_label`` but no ``success``.
    """
    attack = record.get("attack", {})
    return not ("error" in record or "skipped" in record or ("clean_label" in attack and "success" not in attack))


def source_image(record: Record) -> str:
    """Return a name of the image that a record comes from: ``source`` or, without it, the id without ``@ATTACK``.

    The hash of the first tool's input is added, because files of several directories may have the same name: records in
    image files and shards hold no directories.
    """
    attack = f"@{record.get('attack', {}).get('name')}"
    name = str(record["source"] if "source" in record else pairing_id(record).removesuffix(attack))
    stages = record.get("stages") or [{}]
    content = stages[0].get("input_sha256")
    return f"{name}:{content}" if content else name


def pairing_id(record: Record) -> str:
    """Return the id by which a record is paired with another method's record of the same image.

    If a fit had several stopping criteria, ids end in ``@CRITERION``, which is removed.
    """
    stop = record.get("denoise", {}).get("stop") or {}
    criterion = str(stop.get("criterion", "")).replace(".", "_")
    return str(record.get("id", "")).removesuffix(f"@{criterion}" if criterion else "")


def attack_name(record: Record) -> str:
    """Return the name of the attack, ``none`` for an image that was not attacked."""
    return value_at("attack.name")(record)


def method_group(record: Record) -> str:
    """Return the method, with ``, clean`` appended for images that were not attacked.

    Clean and attacked images are separate groups, because their accuracies mean different things.
    """
    return method(record) + ("" if "attack" in record else ", clean")


def method(record: Record) -> str:
    """Return the purification method, with the stopping criterion if a network was fitted to the image.

    Examples: ``denoiser``, ``jpeg:75``, ``dip plateau``, ``paper oracle``. Behind a gate: ``jpeg:75 if suspect``.
    """
    denoise = record.get("denoise") or {}
    if gate := denoise.get("gate"):
        return printable(f"{gate['method']} if suspect")
    name, stop = str(denoise.get("method", NONE)), denoise.get("stop")
    return printable(f"{name} {stop['criterion']}" if stop else name)


def uses_true_label(method: str) -> bool:
    """Return whether a method, named as by :func:`method`, stops a fit by the true label.

    Such a method is an upper bound on what stopping can achieve, not a defence.
    """
    return "oracle" in method.split()


def value_at(path: str) -> Callable[[Record], str]:
    """Return a function that returns the value at a dotted path in a record as printable text.

    Args:
        path: Keys of nested objects, separated by dots, such as ``denoise.stop.criterion``; or one key with dots.
    """

    def value_as_text(record: Record) -> str:
        value: Any = record
        for key in [path] if path in record else path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return NONE
        return printable(value if isinstance(value, str) else json.dumps(value, sort_keys=True))

    return value_as_text


def parse_keys(keys: Sequence[str]) -> Callable[[Record], str]:
    """Return the function that maps a record to its group. Several keys are joined by a comma.

    Args:
        keys: Each is ``attack``, ``method``, or the dotted path of any key.
    """
    known = {"attack": attack_name, "method": method_group if len(keys) == 1 else method}
    functions = [known.get(key) or value_at(key) for key in keys]
    return lambda record: ", ".join(function(record) for function in functions)
