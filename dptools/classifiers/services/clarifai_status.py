"""Clarifai's status codes: what went well, what may go well the next time, and what has used a quota up."""

from typing import Any

from dptools.classifiers.services.reply import Reply
from dptools.classifiers.services.service import Service
from dptools.errors import SampleError

FINE = {10000, 10001, 10002}
"""Status codes of success; the last two warn that the interface or the client is of an old version."""

AGAIN = {10030, 11005, 21351, 21352, 40016, 40030, 40031, 40032, 40034, 41000}
"""Status codes after which the same request may succeed: throttled, busy, timed out, the model being deployed."""

SPENT = {11003, 11004, 11006}
"""Those of a quota that is used up for an hour or longer."""


def may_succeed(reply: Reply) -> bool:
    """Whether the same request may succeed: as its own codes say, or else the HTTP status."""
    codes = _codes(reply.content)
    return not codes & SPENT and (bool(codes & AGAIN) or reply.transient)


def _codes(content: Any) -> set[int]:
    """Those of the reply and of its outputs."""
    content = content if isinstance(content, dict) else {}
    outputs = content.get("outputs")
    parts = [content, *(outputs if isinstance(outputs, list) else [])]
    states = [part.get("status") for part in parts if isinstance(part, dict)]
    found = [state.get("code") for state in states if isinstance(state, dict)]
    return {code for code in found if isinstance(code, int)}


def checked(service: Service, reply: Reply) -> dict[str, Any]:
    """The reply's content, if it says that all is well.

    Raises:
        SampleError: it says otherwise, or nothing that is Clarifai's.
    """
    content = reply.content
    if not isinstance(content, dict) or "status" not in content:
        if reply.status != 200:
            raise SampleError("ServiceError", f"{service.host} answered {reply.status}")
        raise SampleError("BadReply", f"{service.host} answered with something that is not Clarifai's JSON")
    check_status(service, content["status"], reply.status)
    return content


def check_status(service: Service, status: Any, http: int) -> None:
    """
    Args:
        status: what stands under that key.
        http: the reply's.

    Raises:
        SampleError: all is not well.
    """
    code = status.get("code") if isinstance(status, dict) else None
    if code in FINE:
        return
    words = [status.get(key) for key in ("description", "details")] if isinstance(status, dict) else []
    said = ": ".join(service.say(word) for word in words if word)
    kind = "OverQuota" if code in SPENT else "ServiceError"
    raise SampleError(kind, f"{service.host} answered {http}, code {code}{f': {said}' if said else ''}")
