"""A classifier that answers over HTTP: asked with time limits, again where that helps, and never too long."""

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, wait_random_exponential

from dptools.classifiers.services.connection import Connection
from dptools.classifiers.services.endpoint import HERE, check_address, check_key
from dptools.classifiers.services.reply import Reply, asked_pause
from dptools.errors import SampleError, SetupError
from dptools.texts import printable

ATTEMPTS = 5
"""Requests for one image, at the most: with their pauses some ten seconds."""

PATIENCE = 5
"""After so many images in a row that the service could not be reached for, or for which it had nothing but an error
of its own (HTTP 5xx), each is tried once, until one is answered: a service that is down does not hold up a long
stream."""

LONGEST_PAUSE = 60.0
"""Seconds. A service that asks for a longer pause (``Retry-After``) is not asked again."""

MAX_REPLY = 64 * 2**20
"""Bytes; a longer reply is refused."""


class Service:
    """An HTTP service that speaks JSON, for any number of threads.

    Attributes:
        host: for messages.
    """

    def __init__(self, base: str, timeout: float, key: str = "") -> None:
        """
        Args:
            base: the address that paths are appended to.
            timeout: seconds for an answer.
            key: value of the Authorization header; it is sent over TLS or to this machine only, and shown nowhere.

        Raises:
            UsageError: the address is none.
            SetupError: the key is none, or would be sent in the clear; proxies or certificates are no good.
        """
        self.url = check_address(base)
        self.host = self.url.netloc.decode()
        self._secret = key.split()[-1] if key.strip() else ""
        headers = {"Authorization": check_key(key, self.url)} if key else {}
        self._limit = timeout
        direct = {(f"all://[{name}]" if ":" in name else f"all://{name}"): None for name in HERE}
        try:
            trust = httpx.create_ssl_context()
            self._open = partial(
                Connection, base_url=self.url, headers=headers, timeout=timeout, mounts=direct, verify=trust
            )
            self._threads = threading.local()
            self._connection()
        except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
            wrong = "the proxies or certificates that the environment names cannot be used"
            raise SetupError(f"{self.host}: {wrong}: {self.say(error)}") from None
        self._lost, self._lock = 0, threading.Lock()

    def ask(self, path: str, body: Any = None, again: Callable[[Reply], bool] = lambda reply: reply.transient) -> Reply:
        """The reply to a body as POST, or to a GET where there is none: the last one, of as many as it took.

        Args:
            again: tells replies after which the request may succeed.

        Raises:
            SampleError: none came, or none that is complete.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(again),
            wait=_pause,
            stop=self._gives_up,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        content = None if body is None else json.dumps(body).encode()
        try:
            reply: Reply = retrying(self._once, path, content)
        except httpx.TransportError as error:
            with self._lock:
                self._lost += 1
            raise self._complaint(error) from None
        with self._lock:
            self._lost = self._lost + 1 if reply.status >= 500 and again(reply) else 0
        return reply

    def say(self, text: object) -> str:
        """A service's own words, fit for a message or a record: short, on one line, without the key, which it might
        send back. None of its texts gets there in another way."""
        return printable(" ".join(self._hide(str(text)[:10_000]).split()))[:300]

    def _once(self, path: str, content: bytes | None) -> Reply:
        """One request."""
        with self._connection().request(path, content, self._limit) as response:
            received = bytearray()
            try:
                for piece in response.iter_bytes():
                    received += piece
                    if len(received) > MAX_REPLY:
                        raise SampleError("BadReply", f"{self.host} answered with more than {MAX_REPLY >> 20} MiB")
            except httpx.DecodingError as error:  # it is all there, so that asking again would bring the same
                raise SampleError("BadReply", f"{self.host} answered with {self.say(error)}") from None
        return Reply(response.status_code, self._parsed(received), asked_pause(response.headers))

    def _connection(self) -> Connection:
        """This thread's own."""
        own: Connection = getattr(self._threads, "own", None) or self._open()
        self._threads.own = own
        return own

    def _parsed(self, received: bytes | bytearray) -> Any:
        try:
            return json.loads(received)
        except (ValueError, RecursionError):
            return None

    def _hide(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text

    def _gives_up(self, state: RetryCallState) -> bool:
        reply = None if state.outcome is None or state.outcome.failed else state.outcome.result()
        too_long = reply is not None and (reply.pause or 0) > LONGEST_PAUSE
        return too_long or state.attempt_number >= (1 if self._lost >= PATIENCE else ATTEMPTS)

    def _complaint(self, error: httpx.TransportError) -> SampleError:
        match error:
            case httpx.ConnectError() | httpx.ProxyError():
                return SampleError("ServiceDown", f"{self.host} cannot be reached: {self.say(error)}")
            case httpx.TimeoutException():
                return SampleError("ServiceSlow", f"{self.host} did not answer within {self._limit:g} s")
            case _:
                return SampleError("ServiceBroken", f"{self.host} broke the connection off: {self.say(error)}")


_backoff = wait_random_exponential(multiplier=0.5, max=8)


def _pause(state: RetryCallState) -> float:
    """Seconds until the next request: what the service asks for, or more each time."""
    reply = None if state.outcome is None or state.outcome.failed else state.outcome.result()
    return max(_backoff(state), reply.pause or 0.0 if reply is not None else 0.0)
