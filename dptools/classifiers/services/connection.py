"""An HTTP connection with a time limit for whole requests."""

import socket
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx


class Connection:
    """An HTTP client with one connection, for one thread.

    httpx limits only the time between two pieces of a reply. This class limits the time for the whole exchange, by
    shutting the socket down from a timer.

    Args:
        **settings: arguments of :class:`httpx.Client`.
    """

    def __init__(self, **settings: Any) -> None:
        self._client = httpx.Client(limits=httpx.Limits(max_connections=1), **settings)
        weakref.finalize(self, self._client.close).atexit = False
        self._socket: socket.socket | None = None

    @contextmanager
    def request(self, path: str, content: bytes | None, limit: float) -> Iterator[httpx.Response]:
        """Send a POST request with JSON, or a GET request without content, and yield the streamed response.

        Args:
            path: appended to the base address.
            content: the body, or None for a GET request.
            limit: time limit for the request and for the caller's reading of the response, in seconds.

        Raises:
            httpx.RequestError: the request failed or exceeded the limit.
        """
        method, headers = ("POST", {"Content-Type": "application/json"}) if content else ("GET", {})
        expired = threading.Event()
        timer = threading.Timer(limit, self._shut_down, [expired])
        timer.daemon = True
        timer.start()
        try:
            trace = {"trace": self._remember_socket}
            with self._client.stream(method, path, content=content, headers=headers, extensions=trace) as response:
                yield response
        except httpx.RequestError:
            if not expired.is_set():
                raise
        finally:
            timer.cancel()
        if expired.is_set():
            raise httpx.ReadTimeout("time limit for the whole request exceeded")

    def _remember_socket(self, event: str, details: Mapping[str, Any]) -> None:
        """Store the socket; httpx calls this for each step of a request, such as connecting and the TLS handshake."""
        stream = details.get("return_value")
        if stream is not None and hasattr(stream, "get_extra_info"):
            self._socket = stream.get_extra_info("socket")

    def _shut_down(self, expired: threading.Event) -> None:
        expired.set()
        if self._socket is not None:
            with suppress(OSError):
                # SSLSocket overrides shutdown() with a method that is unsafe in another thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
