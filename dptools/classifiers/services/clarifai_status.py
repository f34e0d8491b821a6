"""Clarifai's status codes: success, transient errors and exhausted quotas."""

from typing import Any

from dptools.classifiers.services.reply import Reply
from dptools.classifiers.services.service import Service
from dptools.errors import SampleError

SUCCESS = {10000, 10001, 10002}
"""Codes of success. The last two warn that the interface or the client is outdated."""

TRANSIENT = {10030, 11005, 21351, 21352, 40016, 40030, 40031, 40032, 40034, 41000}
"""Codes after which the same request may succeed: throttled, busy, timed out, or the model is being deployed."""

QUOTA_EXHAUSTED = {11003, 11004, 11006}
"""Codes of a quota that is used up for an hour or longer."""


def is_retryable(reply: Reply) -> bool:
    """Return whether the same request may succeed later, by Clarifai's codes or else by the HTTP status."""
    codes = _codes(reply.content)
    return not codes & QUOTA_EXHAUSTED and (bool(codes & TRANSIENT) or reply.transient)


def _codes(content: Any) -> set[int | None]:
    """Return the codes of the reply and of its outputs."""
    match content:
        case {"outputs": [*outputs]}:
            return {_code(part) for part in (content, *outputs)}
        case _:
            return {_code(content)}


def _code(part: Any) -> int | None:
    match part:
        case {"status": {"code": int(code)}}:
            return code
        case _:
            return None


def check_reply(service: Service, reply: Reply) -> None:
    """Check that the reply reports success.

    Raises:
        SampleError: the reply reports an error or is not Clarifai's.
    """
    if not isinstance(reply.content, dict) or "status" not in reply.content:
        if reply.status != 200:
            raise SampleError("ServiceError", f"{service.host} answered {reply.status}")
        raise SampleError("BadReply", f"{service.host} sent a reply that is not Clarifai's JSON")
    check_status(service, reply.content, reply.status)


def check_status(service: Service, part: Any, http_status: int) -> None:
    """Check that the status of a reply, or of one of its outputs, is success.

    Args:
        service: the service that sent it.
        part: an object with the key ``status``.
        http_status: the HTTP status of the reply, for the message.

    Raises:
        SampleError: the status is an error.
    """
    code, status = _code(part), part["status"]
    if code in SUCCESS:
        return
    texts = [status.get(key) for key in ("description", "details")] if isinstance(status, dict) else []
    details = "".join(f": {service.sanitize(text)}" for text in texts if text)
    kind = "OverQuota" if code in QUOTA_EXHAUSTED else "ServiceError"
    raise SampleError(kind, f"{service.host} answered {http_status}, code {code}{details}")
