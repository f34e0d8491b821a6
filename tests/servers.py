"""Services that answer as they are told: for tests of classifiers that answer over HTTP."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

Manner = Literal["whole", "slow", "drip", "cut", "closed"]


@dataclass(frozen=True)
class Says:
    """An answer: JSON or bytes, and the manner in which it is given."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "whole"

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


@dataclass(frozen=True)
class Asked:
    """A request."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Server:
    """What it was asked, and by how many at once."""

    answer: Callable[[Asked], Says]
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def posts(self) -> list[Asked]:
        return [each for each in self.asked if each.body is not None]

    def take(self, asked: Asked) -> Says:
        with self.lock:
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            return self.answer(asked)
        finally:
            with self.lock:
                self.at_once -= 1


@contextmanager
def serving(answer: Callable[[Asked], Says], certificate: Path | None = None) -> Iterator[Server]:
    """A server on this machine; over TLS, if it has a certificate (a PEM file with its key)."""
    server = Server(answer)

    class Handler(_Handler):
        telling = server

    listening = _Listening(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    server.url = f"http{'s' if certificate else ''}://127.0.0.1:{listening.server_address[1]}"
    threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.ended.set()
        listening.shutdown()
        listening.server_close()


def in_turn(*answers: Says) -> Callable[[Asked], Says]:
    """One after the other; the last again and again."""
    lock, left = threading.Lock(), list(answers)

    def answer(asked: Asked) -> Says:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer


def clarifai(answer: Callable[[Asked], Says]) -> Callable[[Asked], Says]:
    """Clarifai's description of a model, as documented; and answers to images."""
    model = {"id": "food", "model_version": {"id": "v-1"}}
    return lambda asked: Says({"status": OK, "model": model}) if asked.body is None else answer(asked)


OK = {"code": 10000, "description": "Ok"}


def concepts(*found: tuple[str, float]) -> Says:
    """What Clarifai answers for an image that shows these."""
    given = [{"id": f"ai_{n}", "name": name, "value": value, "app_id": "main"} for n, (name, value) in enumerate(found)]
    return Says({"status": OK, "outputs": [{"status": OK, "data": {"concepts": given}}]})


def refusal(http: int, code: int, description: str = "", **headers: str) -> Says:
    """What Clarifai answers instead."""
    return Says({"status": {"code": code, "description": description, "req_id": "1"}}, http, headers)


def protocol(
    answer: Callable[[Asked], Says],
    *,
    datatype: str = "FP32",
    shape: Sequence[int] = (-1, 3, 224, 224),
    classes: int = 3,
    **changes: Any,
) -> Callable[[Asked], Says]:
    """A model's description in the Open Inference Protocol; and answers to tensors."""
    image = {"name": "image", "datatype": datatype, "shape": list(shape)}
    scores = {"name": "scores", "datatype": "FP32", "shape": [-1, classes]}
    described = {"name": "m", "versions": ["7"], "platform": "test", "inputs": [image], "outputs": [scores], **changes}
    return lambda asked: Says(described) if asked.body is None else answer(asked)


def scores(*values: float, shape: Sequence[int] | None = None, **changes: Any) -> Says:
    """What such a model answers."""
    tensor = {"name": "scores", "datatype": "FP32", "shape": shape or [1, len(values)], "data": list(values)}
    return Says({"model_name": "m", "outputs": [{**tensor, **changes}]})


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no matter."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    telling: Server

    def do_GET(self) -> None:
        self._tell(None)

    def do_POST(self) -> None:
        self._tell(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _tell(self, body: Any) -> None:
        says = self.telling.take(Asked(self.path, dict(self.headers), body))
        if says.manner == "slow":
            self.telling.ended.wait(30)
        if says.manner == "closed":
            self._leave()
            return
        self.send_response(says.status)
        for name, value in {"Content-Length": str(len(says.body)), **says.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if says.manner == "cut":
            self.wfile.write(says.body[: len(says.body) // 2])
            self._leave()
        elif says.manner == "drip":
            for byte in says.body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
        else:
            self.wfile.write(says.body)

    def _leave(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *values: object) -> None:
        """Nothing: what the tools say is looked at."""
