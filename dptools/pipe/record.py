"""The record: one JSON object a line (see record.schema.json, and dptools(7) for people)."""

import json
import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, cast

from dptools.errors import SampleError

Record = dict[str, Any]

TRACE = "trace"
"""The key, below a tool's own, under which a record carries what happened on the way, to a file or in an image."""

SCHEMA_VERSION = 1
MAX_LINE = 16 * 2**20
"""Longest line of JSON accepted, in bytes. A record has a few thousand."""


LONGER = 6
"""Times that a record may get longer when it is put out, as ``\\u00e9`` is for one byte of Latin."""

MAX_DEPTH = 100
"""Deepest nesting accepted; a record has five levels."""


LONGEST_MESSAGE = 1000
"""Characters of an error's message."""


def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) that every record satisfies."""
    text = files("dptools.pipe").joinpath("record.schema.json").read_text("utf-8")
    return cast(dict[str, Any], json.loads(text))


def parse(text: str | bytes) -> Record:
    """Read one record from outside, filling in what a hand-written one may leave out.

    A record needs a ``path``, or the ``error`` that stands in its stead; ``id`` and ``source`` default to the path.

    Raises:
        SampleError: the text is not JSON, not an object, or not a record.
    """
    try:
        record = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_finite_number)
    except RecursionError:
        raise SampleError("BadJSON", "not valid JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise SampleError("BadJSON", f"not valid JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise SampleError("BadJSON", f"not valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise SampleError("BadRecord", f"a record is a JSON object, not {_kind(record)}")
    if _deeper(record, MAX_DEPTH):
        raise SampleError("BadJSON", f"not valid JSON here: nested more than {MAX_DEPTH} deep")
    if "path" not in record and "error" not in record:
        raise SampleError("BadRecord", "record without path")
    if len(text) * LONGER > MAX_LINE < len(dump(record)):
        raise SampleError("BadJSON", f"longer than {MAX_LINE:,} bytes in ASCII")
    return validate(_with_defaults(record))


def validate(record: Record) -> Record:
    """Return the record itself.

    Raises:
        SampleError: it breaks the schema; the message names the key.
    """
    import fastjsonschema

    try:
        _validator()(record)
    except fastjsonschema.JsonSchemaValueException as error:
        raise SampleError("BadRecord", error.message.replace("data", "record", 1)) from None
    return record


def dump(record: Record) -> str:
    """One line of JSON without its newline: pure ASCII, so names that are not UTF-8 survive; never NaN or Infinity."""
    try:
        return json.dumps(record, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(record), allow_nan=False)


def reason(stage: str, kind: str, message: str) -> Record:
    """What stands under ``error`` and ``skipped``."""
    return {"stage": stage, "type": kind, "message": " ".join(message[:LONGEST_MESSAGE].split())}


@cache
def _validator() -> Callable[[Record], Record]:
    import fastjsonschema

    return cast(Callable[[Record], Record], fastjsonschema.compile(schema()))


def _with_defaults(record: Record) -> Record:
    path = record.get("path")
    defaults = {"schema": SCHEMA_VERSION, "id": path, "source": path}
    return {**{key: value for key, value in defaults.items() if value is not None}, **record}


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return not levels or any(_deeper(item, levels - 1) for item in items)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _whole(text: str) -> int:
    """A whole number that a float can hold, since what is done to records computes with floats."""
    _finite_number(text)
    return int(text)


def _finite_number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]}... is beyond all numbers here")
    return number


def _kind(value: object) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
