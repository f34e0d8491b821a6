"""A service's reply, and whether the request may be repeated."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""HTTP statuses (RFC 9110, 6585, 8470) after which the same request may succeed."""


@dataclass(frozen=True)
class Reply:
    """A complete HTTP reply.

    Attributes:
        status: the HTTP status.
        content: the parsed JSON; None if the body is not JSON.
        retry_after: seconds that the service asks the client to wait; None if it does not say.
    """

    status: int
    content: Any
    retry_after: float | None = None

    @property
    def transient(self) -> bool:
        """Whether the HTTP status says that the same request may succeed later."""
        return self.status in TRANSIENT


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that a ``Retry-After`` header asks for; None without a valid header.

    The header holds a number of seconds or a date (RFC 9110, 10.2.3).
    """
    text = headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
