"""Choose the columns of a Parquet file that hold images and labels, and convert their values."""

from dataclasses import dataclass
from typing import Any

from dptools.errors import SampleError

IMAGE, LABEL = "image", "label"
"""The names of the columns. If there is no column ``image``, the only column of images is read."""

MAX_LABEL = 4096
"""The longest accepted label, in bytes."""

_MAX_WHOLE = 2**53
"""Up to here, each whole number is a float."""


@dataclass
class Labels:
    """The column of labels, and the problem that makes it lose labels.

    Attributes:
        column: The name of the column; None if no labels are read.
        problem: Why some or all of its values are no labels; None if all of them are.
    """

    column: str | None = None
    problem: str | None = None

    @classmethod
    def of(cls, schema: Any) -> "Labels":
        """Return the column of labels in a schema.

        Raises:
            SampleError: There are two.
        """
        if LABEL not in schema.names:
            return cls()
        _check_unique(schema, LABEL)
        kind = schema.field(LABEL).type
        if _is_label(kind):
            return cls(LABEL)
        return cls(problem=f"column {LABEL!r} is ignored: its type is {str(kind)[:100]}, not integer or string")

    def read(self, value: Any) -> int | str | None:
        """Return the label in a value of pyarrow; None if it has none.

        An empty string is no label, and neither is a negative number, which marks secret labels of test sets. Whole
        numbers may be floats, because pandas stores integers with missing values so.
        """
        value = getattr(value, "value", value) if _is_dictionary(value.type) else value
        if value is None or not value.is_valid:
            return None
        if hasattr(value, "as_buffer") and value.as_buffer().size > MAX_LABEL:
            self.problem = f"column {LABEL!r}: labels of more than {MAX_LABEL} bytes are ignored"
            return None
        label = value.as_py()
        if isinstance(label, float):
            label = self._whole(label)
        return None if label == "" or (isinstance(label, int) and label < 0) else label

    def _whole(self, number: float) -> int | None:
        if number.is_integer() and abs(number) <= _MAX_WHOLE:
            return int(number)
        if number == number:  # pandas stores NaN for a missing value
            self.problem = f"column {LABEL!r}: numbers that are not whole are ignored"
        return None


def image_column(schema: Any) -> tuple[str, str]:
    """Return the name of the column of images, and the part of it that is read.

    Raises:
        SampleError: There is none, or there are several.
    """
    found = [column.name for column in schema if _holds_images(column.type)]
    name = IMAGE if IMAGE in found else found[0] if len(found) == 1 else None
    if name is not None:
        _check_unique(schema, name)
        return name, f"{name}.bytes" if _is_struct(schema.field(name).type) else name
    columns = ", ".join((found or schema.names)[:10]) or "none"
    if found:
        raise SampleError("NoImages", f"several columns may hold the images ({columns}): rename one to {IMAGE!r}")
    raise SampleError("NoImages", f"no column holds images as bytes (columns: {columns})")


def image_buffer(value: Any) -> Any:
    """Return the buffer of pyarrow with the image in a value; None if there is none. Nothing is copied."""
    if value is None or not value.is_valid:
        return None
    if _is_dictionary(value.type):
        return image_buffer(value.value)
    return image_buffer(value["bytes"]) if _is_struct(value.type) else value.as_buffer()


def _check_unique(schema: Any, name: str) -> None:
    if schema.names.count(name) > 1:
        raise SampleError("DuplicateColumn", f"two columns are named {name!r}: rename or remove one")


def _holds_images(kind: Any) -> bool:
    from pyarrow import types

    if _is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_images(kind.field("bytes").type)
    if _is_dictionary(kind):
        return _holds_images(kind.value_type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_label(kind: Any) -> bool:
    from pyarrow import types

    if _is_dictionary(kind):
        return _is_label(kind.value_type)
    tests = (types.is_integer, types.is_floating, types.is_string, types.is_large_string, types.is_string_view)
    return types.is_null(kind) or any(test(kind) for test in tests)


def _is_struct(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_struct(kind))


def _is_dictionary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_dictionary(kind))
