"""Parsing of the Open Inference Protocol's JSON. The server is not trusted."""

from collections.abc import Sequence
from typing import Any, TypeGuard

from dptools.classifiers.services.oip_tensors import TensorType
from dptools.classifiers.services.reply import Reply
from dptools.classifiers.services.service import Service
from dptools.errors import SampleError, UsageError, check_name

MAX_DIMENSIONS = 16
"""Largest number of dimensions of a tensor. Deeper nested arrays are not flattened."""


def check_reply(service: Service, reply: Reply) -> dict[str, Any]:
    """Return the content of a successful reply.

    Raises:
        SampleError: the HTTP status is not 200, or the content is not a JSON object.
    """
    content = reply.content
    if reply.status != 200:
        reason = content.get("error") if isinstance(content, dict) else None
        details = f": {service.sanitize(reason)}" if reason else ""
        raise SampleError("ServiceError", f"{service.host} answered {reply.status}{details}")
    if not isinstance(content, dict):
        raise SampleError("BadReply", f"{service.host} sent a reply that is not the Open Inference Protocol's JSON")
    return content


def objects(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects in the list under a key; an empty list if there is none."""
    items = content.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def parse_tensors(description: dict[str, Any], key: str) -> list[TensorType]:
    """Return a model's ``inputs`` or ``outputs``. Malformed ones are skipped."""
    tensors = []
    for item in objects(description, key):
        match item:
            case {"name": str(name), "datatype": str(datatype), "shape": [_, *_] as shape}:
                sides = tuple(side if isinstance(side, int) else -1 for side in shape)
                tensors.append(TensorType(name, datatype, sides))
    return tensors


def select(tensors: Sequence[TensorType], name: str | None, kind: str) -> TensorType:
    """Return the tensor of this name, or the only tensor if the name is None.

    Args:
        tensors: a model's inputs or outputs.
        name: the name that the user chose.
        kind: ``input`` or ``output``, for messages.

    Raises:
        SampleError: the list is empty.
        UsageError: no tensor has the name, or there are several and the name is None.
    """
    names = [tensor.name for tensor in tensors]
    if not names:
        raise SampleError("BadReply", f"its description has no {kind}")
    if name is None and len(names) > 1:
        raise UsageError(f"the model has several {kind}s: add ?{kind}=NAME with one of {', '.join(names)}")
    return tensors[names.index(check_name(kind, names[0] if name is None else name, names))]


def flatten(data: Any) -> list[Any]:
    """Return a tensor's data as one list. A server sends nested arrays, or one array in row-major order."""
    for _ in range(MAX_DIMENSIONS):
        if not isinstance(data, list) or not any(isinstance(item, list) for item in data):
            break
        data = [value for item in data for value in (item if isinstance(item, list) else [item])]
    return data if isinstance(data, list) else [data]


def is_shape(shape: Any) -> TypeGuard[list[int]]:
    """Return whether the value is the shape of a tensor with at least one element."""
    return isinstance(shape, list) and all(isinstance(side, int) and side > 0 for side in shape)


def is_number(value: Any) -> bool:
    """Return whether the value is a number that fits into a float32; bool does not count."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38


def versions(service: Service, description: dict[str, Any]) -> str:
    """Return the model's versions, separated by slashes; ``unknown`` if the description has none."""
    names = description.get("versions")
    return service.sanitize("/".join(map(str, names))) if isinstance(names, list) and names else "unknown"
