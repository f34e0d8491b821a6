"""The Open Inference Protocol's JSON, read without trust: what is not as the protocol has it is left out or refused."""

from collections.abc import Sequence
from typing import Any, TypeGuard

from dptools.classifiers.services.reply import Reply
from dptools.classifiers.services.service import Service
from dptools.classifiers.services.tensors import TensorType
from dptools.errors import SampleError, UsageError, check_name

DEEPEST = 16
"""Sides of a tensor; what is nested deeper is none."""


def described(service: Service, reply: Reply) -> dict[str, Any]:
    """What a server answered, if it is an answer.

    Raises:
        SampleError: it is none.
    """
    content = reply.content
    if reply.status != 200:
        reason = content.get("error") if isinstance(content, dict) else None
        said = f": {service.say(reason)}" if reason else ""
        raise SampleError("ServiceError", f"{service.host} answered {reply.status}{said}")
    if not isinstance(content, dict):
        raise SampleError("BadReply", f"{service.host} answered with something that is not the protocol's JSON")
    return content


def listed(content: dict[str, Any], which: str) -> list[dict[str, Any]]:
    """The objects in one of a reply's lists."""
    found = content.get(which)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def tensors(description: dict[str, Any], which: str) -> list[TensorType]:
    """A model's inputs, or its outputs; a side of unknown length is -1."""
    found = []
    for each in listed(description, which):
        name, datatype, shape = map(each.get, TensorType.KEYS)
        if isinstance(name, str) and isinstance(datatype, str) and isinstance(shape, list) and shape:
            found.append(TensorType(name, datatype, tuple(side if isinstance(side, int) else -1 for side in shape)))
    return found


def chosen(tensors: Sequence[TensorType], name: str | None, which: str) -> TensorType:
    """The one of this name, or the only one.

    Raises:
        SampleError: there is none at all.
        UsageError: the name is none of theirs, or there are several and no name.
    """
    names = [each.name for each in tensors]
    if not names:
        raise SampleError("BadReply", f"it describes no {which}")
    if name is None and len(names) > 1:
        raise UsageError(f"the model has several {which}s: add ?{which}=NAME, one of {', '.join(names)}")
    return tensors[names.index(check_name(which, names[0] if name is None else name, names))]


def flat(data: Any) -> list[Any]:
    """The protocol allows nested arrays, and flat ones in row-major order."""
    for _ in range(DEEPEST):
        if not isinstance(data, list) or not any(isinstance(each, list) for each in data):
            break
        data = [value for each in data for value in (each if isinstance(each, list) else [each])]
    return data if isinstance(data, list) else [data]


def is_shape(shape: Any) -> TypeGuard[list[int]]:
    """The sides of a tensor that holds something."""
    return isinstance(shape, list) and all(isinstance(side, int) and side > 0 for side in shape)


def versions(service: Service, description: dict[str, Any]) -> str:
    """A model's, as a record tells them."""
    found = description.get("versions")
    return service.say("/".join(map(str, found))) if isinstance(found, list) and found else "unknown"


def is_number(value: Any) -> bool:
    """One that a float can be; in Python, truth values are numbers, and here they are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38
