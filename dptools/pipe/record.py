"""Read and write records: one JSON object per line. See record.schema.json, and dptools-record(5) for people."""

import json
import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, cast

from dptools.errors import SampleError

Record = dict[str, Any]

SCHEMA_VERSION = 2
"""The version of the format: the ``schema`` of every record that is written, and the only one that is read."""

TRACE = "trace"
"""The key of the trace lines within a tool's own object in the record. They are taken out before output."""

MAX_LINE = 16 * 2**20
"""The longest accepted line of JSON, in bytes. A typical record has a few thousand."""

MAX_EXPANSION = 6
"""A record grows by this factor at most when it is written as ASCII. One character may become ``\\u00e9``."""

MAX_DEPTH = 100
"""The deepest accepted nesting. A record of the tools has about five levels."""

MAX_MESSAGE = 1000
"""The longest error message in a record, in characters; the rest is cut off."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) that every record satisfies."""
    text = files("dptools.pipe").joinpath("record.schema.json").read_text("utf-8")
    return cast(dict[str, Any], json.loads(text))


def parse(text: str | bytes, *, needs_path: bool = True) -> Record:
    """Return the record in a line of JSON, with defaults for the keys that may be left out.

    A record needs a ``path`` or an ``error``. ``schema`` defaults to the current version, ``id`` and ``source`` to the
    path.

    Args:
        text: The line.
        needs_path: Whether the record needs a path. Otherwise, an ``id`` suffices.

    Raises:
        SampleError: The text is not JSON, or the JSON is not a record of this schema version.
    """
    record = _load(text)
    if not isinstance(record, dict):
        raise SampleError("BadRecord", f"a record is a JSON object, not {_type_name(record)}")
    if _is_deeper(record, MAX_DEPTH):
        raise SampleError("BadJSON", f"JSON nested more than {MAX_DEPTH} levels deep")
    if (version := record.get("schema", SCHEMA_VERSION)) != SCHEMA_VERSION:
        raise SampleError("BadRecord", f"record of schema {_excerpt(version)}: only schema {SCHEMA_VERSION} is read")
    if "path" not in record and "error" not in record and (needs_path or "id" not in record):
        raise SampleError("BadRecord", "record without path" if needs_path else "record without id or path")
    if not isinstance(record.get("path", ""), str):  # otherwise the message would name the id that is made of it
        raise SampleError("BadRecord", "record.path must be string")
    if len(text) * MAX_EXPANSION > MAX_LINE < len(dump(record)):
        raise SampleError("BadJSON", f"longer than {MAX_LINE:,} bytes in ASCII")
    return validate(_with_defaults(record))


def validate(record: Record) -> Record:
    """Return the record if it satisfies the schema.

    Raises:
        SampleError: It does not; the message names the key.
    """
    import fastjsonschema

    try:
        _validator()(record)
    except fastjsonschema.JsonSchemaValueException as error:
        raise SampleError("BadRecord", error.message.replace("data", "record", 1)) from None
    return record


def dump(record: Record) -> str:
    """Return the record as a line of JSON, without a newline.

    It is ASCII, which preserves file names that are not UTF-8. NaN and infinity are written as null.
    """
    try:
        return json.dumps(record, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(record), allow_nan=False)


def reason(stage: str, kind: str, message: str) -> Record:
    """Return the value of ``error`` or ``skipped``: the tool, a name for programs, and a message for people."""
    return {"stage": stage, "type": kind, "message": " ".join(message[:MAX_MESSAGE].split())}


def _load(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int, parse_float=_parse_float)
    except RecursionError:
        raise SampleError("BadJSON", "not valid JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise SampleError("BadJSON", f"not valid JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise SampleError("BadJSON", f"not valid JSON: {error}") from None


@cache
def _validator() -> Callable[[Record], Record]:
    import fastjsonschema

    return cast(Callable[[Record], Record], fastjsonschema.compile(schema()))


def _with_defaults(record: Record) -> Record:
    path = record.get("path")
    defaults = {"schema": SCHEMA_VERSION, "id": path, "source": path}
    return {**{key: value for key, value in defaults.items() if value is not None}, **record}


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(item, levels - 1) for item in items)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _parse_int(text: str) -> int:
    """Return the integer if it lies in the range of a float, because later computations use floats."""
    _parse_float(text)
    return int(text)


def _parse_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]}... exceeds the range of double precision")
    return number


def _type_name(value: object) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")


def _excerpt(value: Any) -> str:
    """Return the beginning of a value as JSON, for a message."""
    return dump(value)[:20]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
