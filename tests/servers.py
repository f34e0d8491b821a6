"""Local HTTP servers with scripted replies, for tests of classifiers that services compute."""

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

Delivery = Literal["whole", "slow", "drip", "cut", "closed"]
"""How a reply is sent: at once, never, one byte per 0.1 s, only the first half, or not at all."""


@dataclass(frozen=True)
class Response:
    """A scripted reply: JSON, or bytes that are sent unchanged."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = "whole"

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


@dataclass(frozen=True)
class Request:
    """A request; the body is None for GET."""

    path: str
    headers: Mapping[str, str]
    body: Any


Handle = Callable[[Request], Response]


@dataclass
class Server:
    """The requests that a running server has received, and how many it handled at the same time."""

    handle: Handle
    requests: list[Request] = field(default_factory=list)
    concurrent: int = 0
    max_concurrent: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.body is not None]

    def reply_to(self, request: Request) -> Response:
        with self.lock:
            self.requests.append(request)
            self.concurrent += 1
            self.max_concurrent = max(self.concurrent, self.max_concurrent)
        try:
            return self.handle(request)
        finally:
            with self.lock:
                self.concurrent -= 1


@contextmanager
def serving(handle: Handle, certificate: Path | None = None) -> Iterator[Server]:
    """Run a server on a free port; with a certificate (a PEM file that includes its key), over TLS."""
    server = Server(handle)

    class Handler(_Handler):
        script = server

    listener = _Listener(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    server.url = f"http{'s' if certificate else ''}://127.0.0.1:{listener.server_address[1]}"
    threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.ended.set()
        listener.shutdown()
        listener.server_close()


def in_turn(*responses: Response) -> Handle:
    """Return a handler that sends the responses one after the other, and then repeats the last one."""
    lock, left = threading.Lock(), list(responses)

    def handle(request: Request) -> Response:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return handle


OK = {"code": 10000, "description": "Ok"}
"""Clarifai's status of success."""


def clarifai(handle: Handle) -> Handle:
    """Return a handler that describes a model as Clarifai does, and passes images on."""
    model = {"id": "food", "model_version": {"id": "v-1"}}
    description = Response({"status": OK, "model": model})
    return lambda request: description if request.body is None else handle(request)


def concepts(*pairs: tuple[str, float]) -> Response:
    """Return Clarifai's reply with these names and probabilities."""
    listed = [
        {"id": f"ai_{n}", "name": name, "value": value, "app_id": "main"} for n, (name, value) in enumerate(pairs)
    ]
    return Response({"status": OK, "outputs": [{"status": OK, "data": {"concepts": listed}}]})


def clarifai_error(http_status: int, code: int, description: str = "", **headers: str) -> Response:
    """Return Clarifai's reply with an error."""
    return Response({"status": {"code": code, "description": description, "req_id": "1"}}, http_status, headers)


def oip(
    handle: Handle,
    *,
    datatype: str = "FP32",
    shape: Sequence[int] = (-1, 3, 224, 224),
    classes: int = 3,
    **changes: Any,
) -> Handle:
    """Return a handler that describes a model by the Open Inference Protocol, and passes images on."""
    image = {"name": "image", "datatype": datatype, "shape": list(shape)}
    output = {"name": "scores", "datatype": "FP32", "shape": [-1, classes]}
    model = {"name": "m", "versions": ["7"], "platform": "test", "inputs": [image], "outputs": [output], **changes}
    return lambda request: Response(model) if request.body is None else handle(request)


def scores(*values: float, shape: Sequence[int] | None = None, **changes: Any) -> Response:
    """Return the reply of such a model with these scores."""
    tensor = {"name": "scores", "datatype": "FP32", "shape": shape or [1, len(values)], "data": list(values)}
    return Response({"model_name": "m", "outputs": [{**tensor, **changes}]})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script: Server

    def do_GET(self) -> None:
        self._reply(None)

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _reply(self, body: Any) -> None:
        response = self.script.reply_to(Request(self.path, dict(self.headers), body))
        if response.delivery == "slow":
            self.script.ended.wait(30)
        if response.delivery == "closed":
            self._shut_down()
            return
        self.send_response(response.status)
        for name, value in {"Content-Length": str(len(response.body)), **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if response.delivery == "cut":
            self.wfile.write(response.body[: len(response.body) // 2])
            self._shut_down()
        elif response.delivery == "drip":
            for byte in response.body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
        else:
            self.wfile.write(response.body)

    def _shut_down(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *values: object) -> None:
        """Write no log to standard error, which tests check."""
