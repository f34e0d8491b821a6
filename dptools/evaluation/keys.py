"""What records are grouped by."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from dptools.texts import printable

Record = Mapping[str, Any]

NONE = "none"
"""The group of records that lack the key."""


def judged(record: Record) -> bool:
    """It stands in rates: it neither failed nor was skipped. Where only files were passed on, the mark is lost; what
    dp-attack says of an image that it skipped is not."""
    attack = record.get("attack", {})
    return not ("error" in record or "skipped" in record or ("clean_label" in attack and "success" not in attack))


def by_attack(record: Record) -> str:
    """The name of the attack."""
    return at("attack.name")(record)


def by_method(record: Record) -> str:
    """The method, and ``, clean`` behind it for an image that was not attacked: of those another figure is wanted."""
    return method(record) + ("" if "attack" in record else ", clean")


def method(record: Record) -> str:
    """The filter, or the preset of the prior and the rule that stopped it: ``jpeg:75``, ``cold oracle``; behind a gate,
    ``jpeg:75 if suspect``."""
    done = record.get("denoise")
    if not isinstance(done, Mapping):
        return NONE
    if gate := done.get("gate"):
        return printable(f"{gate['method']} if suspect")
    if done.get("method") != "dip":
        return printable(str(done.get("method", NONE)))
    rule = at("denoise.stop.rule")(record)
    return printable(f"{done.get('preset', 'dip')} {rule}")


def at(path: str) -> Callable[[Record], str]:
    """The value under a key, ``denoise.stop.rule`` for one in objects, as a name."""

    def name(record: Record) -> str:
        value: Any = record
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return NONE
        return printable(value if isinstance(value, str) else json.dumps(value, sort_keys=True))

    return name


def parse_key(text: str) -> Callable[[Record], str]:
    """``attack``, ``method``, or the path of a key."""
    return {"attack": by_attack, "method": by_method}.get(text) or at(text)
