"""Records: reading what was written, and refusing what is invalid."""

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import SampleError
from dptools.pipe.record import dump, parse, schema

SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS.filter(lambda v: v not in (math.inf, -math.inf)), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)
UNKNOWN = st.dictionaries(st.text().filter(lambda key: key not in schema()["properties"]), VALUES)
NAMES = st.text(min_size=1) | st.binary(min_size=1).map(lambda name: name.decode("utf-8", "surrogateescape"))


@given(UNKNOWN, NAMES)
def test_unknown_keys_and_any_file_name_are_preserved(unknown: dict[str, Any], name: str) -> None:
    record = {"schema": 2, "id": name, "path": name, "source": name, **unknown}
    line = dump(record)
    assert line.isascii()
    assert "\n" not in line
    assert parse(line) == record


@given(st.dictionaries(st.text(), st.floats()))
def test_nan_and_infinity_are_written_as_null(numbers: dict[str, float]) -> None:
    read = json.loads(dump({"numbers": numbers}), parse_constant=pytest.fail)["numbers"]
    assert read == {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def test_path_suffices_for_a_record() -> None:
    assert parse('{"path": "a.png"}') == {"schema": 2, "id": "a.png", "source": "a.png", "path": "a.png"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"path": "a.png"', "not valid JSON"),
        ('{"path": "a.png", "label": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"path": "a", "x": ' + "[" * 900 + "]" * 900 + "}", "nested more than 100 levels deep"),
        ('{"path": "a.png", "label": ' + "9" * 5000 + "}", "not valid JSON"),
        ('["a.png"]', "a record is a JSON object, not an array"),
        ("7", "not a number"),
        ('{"id": "a"}', "record without path"),
        ('{"path": 5}', "record.path must be string"),
        ('{"path": "a.png", "label": -1}', "record.label must be bigger than or equal to 0"),
        ('{"path": "a.png", "label": true}', "record.label must be integer or string or null"),
        ('{"path": "a.png", "schema": 1}', "record of schema 1: only schema 2 is read"),
        ('{"path": "a.png", "schema": "2"}', 'record of schema "2": only schema 2 is read'),
        ('{"path": "a.png", "stages": [{}]}', "record.stages[0] must contain"),
        ('{"path": "a.png", "attack": "gs"}', "record.attack must be object"),
    ],
)
def test_invalid_record_is_refused_with_the_reason(line: str, message: str) -> None:
    with pytest.raises(SampleError) as caught:
        parse(line)
    assert message in str(caught.value)


def test_schema_is_a_valid_json_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
