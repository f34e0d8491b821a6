"""An HTTP client for JSON services, with time limits and repeated requests."""

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, wait_random_exponential

from dptools.classifiers.services.connection import Connection
from dptools.classifiers.services.endpoint import LOCALHOST, check_address, check_key
from dptools.classifiers.services.reply import Reply, parse_retry_after
from dptools.errors import SampleError, SetupError
from dptools.texts import printable

MAX_ATTEMPTS = 5
"""Largest number of requests for one image. The pauses sum to at most 7.5 s unless the service asks for longer ones."""

MAX_FAILURES = 5
"""Number of consecutive failed images after which images get one attempt each, until one succeeds.

An image counts as failed if no complete reply arrives, or if the last reply is a transient error with HTTP status 5xx.
The limit keeps a service that is down from delaying a long stream.
"""

MAX_RETRY_AFTER = 60.0
"""Longest pause in seconds that a service may ask for (``Retry-After``). If it asks for more, the image fails."""

MAX_REPLY = 64 * 2**20
"""Largest reply in bytes. A longer reply is an error."""


class Service:
    """An HTTP service that speaks JSON. The methods are safe to call from several threads.

    Args:
        base: the address that paths are appended to.
        timeout: time limit for one reply, in seconds.
        key: value of the Authorization header. It is sent only over TLS or to this machine, and never shown.

    Attributes:
        host: the host and port, for messages.

    Raises:
        UsageError: the address is invalid.
        SetupError: the key is invalid or would be sent without encryption, or the environment's proxies or
            certificates cannot be used.
    """

    def __init__(self, base: str, timeout: float, key: str = "") -> None:
        self.url = check_address(base)
        self.host = self.url.netloc.decode()
        self._secret = key.split()[-1] if key.strip() else ""
        headers = {"Authorization": check_key(key, self.url)} if key else {}
        self._limit = timeout
        no_proxy = {(f"all://[{name}]" if ":" in name else f"all://{name}"): None for name in LOCALHOST}
        try:
            context = httpx.create_ssl_context()
            self._connect = partial(
                Connection, base_url=self.url, headers=headers, timeout=timeout, mounts=no_proxy, verify=context
            )
            self._threads = threading.local()
            self._connection()
        except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
            problem = "the proxies or certificates that the environment names cannot be used"
            raise SetupError(f"{self.host}: {problem}: {self.sanitize(error)}") from None
        self._failures, self._lock = 0, threading.Lock()

    def ask(
        self, path: str, body: Any = None, retryable: Callable[[Reply], bool] = lambda reply: reply.transient
    ) -> Reply:
        """Send a request, repeat it after transient errors, and return the last reply.

        Args:
            path: appended to the base address.
            body: sent as JSON in a POST request; None for a GET request.
            retryable: returns whether the request should be repeated after this reply.

        Raises:
            SampleError: no complete reply arrived.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(retryable),
            wait=_pause,
            stop=self._stop,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        content = None if body is None else json.dumps(body).encode()
        try:
            reply: Reply = retrying(self._request, path, content)
        except httpx.TransportError as error:
            with self._lock:
                self._failures += 1
            raise self._sample_error(error) from None
        with self._lock:
            self._failures = self._failures + 1 if reply.status >= 500 and retryable(reply) else 0
        return reply

    def sanitize(self, text: object) -> str:
        """Return text from the service on one line, at most 300 characters, printable and without the key.

        All text that comes from a service must pass through this method before it is shown or recorded.
        """
        limited = str(text)[:10_000]
        hidden = limited.replace(self._secret, "***") if self._secret else limited
        return printable(" ".join(hidden.split()))[:300]

    def _request(self, path: str, content: bytes | None) -> Reply:
        with self._connection().request(path, content, self._limit) as response:
            received = bytearray()
            try:
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > MAX_REPLY:
                        raise SampleError("BadReply", f"{self.host} sent a reply of more than {MAX_REPLY >> 20} MiB")
            except httpx.DecodingError as error:  # the reply is complete, and repeating the request would not help
                message = f"{self.host} sent a reply that cannot be decompressed: {self.sanitize(error)}"
                raise SampleError("BadReply", message) from None
        return Reply(response.status_code, _parse_json(received), parse_retry_after(response.headers))

    def _connection(self) -> Connection:
        """Return this thread's connection."""
        connection: Connection = getattr(self._threads, "connection", None) or self._connect()
        self._threads.connection = connection
        return connection

    def _stop(self, state: RetryCallState) -> bool:
        """Return whether the request should not be repeated."""
        attempts = 1 if self._failures >= MAX_FAILURES else MAX_ATTEMPTS
        return _retry_after(state) > MAX_RETRY_AFTER or state.attempt_number >= attempts

    def _sample_error(self, error: httpx.TransportError) -> SampleError:
        match error:
            case httpx.ConnectError() | httpx.ProxyError():
                return SampleError("ServiceDown", f"{self.host} cannot be reached: {self.sanitize(error)}")
            case httpx.TimeoutException():
                return SampleError("ServiceSlow", f"{self.host} did not answer within {self._limit:g} s")
            case _:
                message = f"{self.host} closed the connection before the reply was complete: {self.sanitize(error)}"
                return SampleError("ServiceBroken", message)


_backoff = wait_random_exponential(multiplier=0.5, max=8)


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: exponential backoff, or longer if the service asks for it."""
    return max(_backoff(state), _retry_after(state))


def _retry_after(state: RetryCallState) -> float:
    """Return the seconds that the last reply asks to wait; 0 if there was no reply or it does not say."""
    if state.outcome is None or state.outcome.failed:
        return 0.0
    return state.outcome.result().retry_after or 0.0


def _parse_json(received: bytes | bytearray) -> Any:
    try:
        return json.loads(received)
    except (ValueError, RecursionError):
        return None
