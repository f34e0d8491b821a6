"""What a service answers, and when it may be asked again."""

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
    """What a service answered: the HTTP status, and the JSON or None where it is none.

    Attributes:
        pause: seconds that the service wants to be left alone; None where it does not say.
    """

    status: int
    content: Any
    pause: float | None = None

    @property
    def transient(self) -> bool:
        """The same request may succeed later."""
        return self.status in TRANSIENT


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds by ``Retry-After`` (RFC 9110, 10.2.3), which is a number of seconds or a date."""
    text = headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
