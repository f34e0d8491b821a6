"""A connection to a service, which can be cut off."""

import socket
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx


class Connection:
    """One thread's connection, with a limit on the time of a whole request: httpx limits the time for each piece
    only, of which there may be any number."""

    def __init__(self, **settings: Any) -> None:
        self._client = httpx.Client(limits=httpx.Limits(max_connections=1), **settings)
        weakref.finalize(self, self._client.close).atexit = False
        self._socket: socket.socket | None = None

    @contextmanager
    def request(self, path: str, content: bytes | None, limit: float) -> Iterator[httpx.Response]:
        """A GET, or a POST of JSON; all of it, with what is done to the response, has so many seconds.

        Raises:
            httpx.RequestError: it failed, or took longer.
        """
        method, headers = ("POST", {"Content-Type": "application/json"}) if content else ("GET", {})
        late = threading.Event()
        timer = threading.Timer(limit, self._cut_off, [late])
        timer.daemon = True
        timer.start()
        try:
            noted = {"trace": self._note}
            with self._client.stream(method, path, content=content, headers=headers, extensions=noted) as response:
                yield response
        except httpx.RequestError:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():
            raise httpx.ReadTimeout("the whole took too long")

    def _note(self, event: str, facts: Mapping[str, Any]) -> None:
        stream = facts.get("return_value")
        if stream is not None and hasattr(stream, "get_extra_info"):  # a connection, or TLS on it
            self._socket = stream.get_extra_info("socket")

    def _cut_off(self, late: threading.Event) -> None:
        late.set()
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # TLS has one that other threads must not use
