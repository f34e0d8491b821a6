"""Service: repeated requests, time limits, keys, proxies and certificates."""

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import tenacity
from servers import Response, Server, in_turn, serving

from dptools.classifiers.services import service as service_module
from dptools.classifiers.services.endpoint import check_address
from dptools.classifiers.services.reply import TRANSIENT, Reply
from dptools.classifiers.services.service import MAX_ATTEMPTS, MAX_FAILURES, Service
from dptools.errors import SampleError, SetupError, UsageError

GOOD = Response({"success": True})
SECRET = "pat-0123456789abcdef"


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the pauses between requests, except those that the service asks for."""
    monkeypatch.setattr(service_module, "_backoff", tenacity.wait_none())


def ask(server: Server, timeout: float = 5.0, key: str = "") -> Reply:
    return Service(server.url, timeout, key).ask("some/path", {"a": 1})


@pytest.mark.parametrize("status", sorted(TRANSIENT))
def test_transient_statuses_are_retried(no_backoff: None, status: int) -> None:
    with serving(in_turn(Response("no", status), Response("no", status), GOOD)) as server:
        assert ask(server).content == {"success": True}
        assert [request.path for request in server.requests] == ["/some/path"] * 3


@pytest.mark.parametrize("status", [200, 301, 302, 400, 401, 403, 404, 413, 422, 501])
def test_other_statuses_are_not_retried(no_backoff: None, status: int) -> None:
    with serving(in_turn(Response("no", status, {"Location": "http://127.0.0.1:9/elsewhere"}))) as server:
        assert ask(server).status == status
        assert len(server.requests) == 1


def test_retries_end_after_the_maximum(no_backoff: None) -> None:
    with serving(in_turn(Response("no", 503))) as server:
        assert ask(server).status == 503
        assert len(server.requests) == MAX_ATTEMPTS


@pytest.mark.parametrize("delivery", ["cut", "closed"])
def test_broken_connection_is_retried(no_backoff: None, delivery: Any) -> None:
    with serving(in_turn(Response("x" * 100, delivery=delivery), GOOD)) as server:
        assert ask(server).content == {"success": True}
    with (
        serving(in_turn(Response("x" * 100, delivery=delivery))) as server,
        pytest.raises(SampleError, match="closed the connection") as caught,
    ):
        ask(server)
    assert caught.value.kind == "ServiceBroken"
    assert len(server.requests) == MAX_ATTEMPTS


def test_retry_after_delays_the_next_request(no_backoff: None) -> None:
    with serving(in_turn(Response("no", 429, {"Retry-After": "1"}), GOOD)) as server:
        start = time.monotonic()
        assert ask(server).status == 200
        assert time.monotonic() - start >= 1


def test_long_retry_after_ends_the_retries(no_backoff: None) -> None:
    with serving(in_turn(Response("no", 429, {"Retry-After": "3600"}), GOOD)) as server:
        assert ask(server).status == 429
        assert len(server.requests) == 1


@pytest.mark.parametrize("delivery", ["slow", "drip"])
def test_timeout_limits_the_whole_reply(no_backoff: None, monkeypatch: pytest.MonkeyPatch, delivery: Any) -> None:
    monkeypatch.setattr(service_module, "MAX_ATTEMPTS", 2)
    with serving(in_turn(Response("x" * 1000, delivery=delivery))) as server:
        start = time.monotonic()
        with pytest.raises(SampleError, match=r"did not answer within 0\.3 s"):
            ask(server, timeout=0.3)
        assert 0.6 <= time.monotonic() - start < 3
        assert len(server.requests) == 2


def test_unreachable_service_gets_fewer_attempts_after_failures(
    no_backoff: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        service = Service(f"http://127.0.0.1:{unused.getsockname()[1]}", 1)
        once = service._request
        monkeypatch.setattr(service, "_request", lambda *args: tried.append(1) or once(*args))
        for image in range(MAX_FAILURES + 10):
            with pytest.raises(SampleError, match="cannot be reached") as caught:
                service.ask("x")
            assert caught.value.kind == "ServiceDown"
            assert len(tried) == MAX_ATTEMPTS * min(image + 1, MAX_FAILURES) + max(image + 1 - MAX_FAILURES, 0)


def test_retries_resume_after_a_success(no_backoff: None) -> None:
    answers = [*[Response("no", 503)] * (MAX_ATTEMPTS * MAX_FAILURES + 1), GOOD, Response("no", 503), GOOD]
    with serving(in_turn(*answers)) as server:
        service = Service(server.url, 5)
        statuses = [service.ask("x", {}).status for _ in range(MAX_FAILURES + 3)]
    assert statuses == [503] * (MAX_FAILURES + 1) + [200, 200]


@pytest.mark.parametrize(
    ("content", "is_json"),
    [(b"<html>", False), (b"", False), (b"[" * 100_000, False), (b"\xff\xfe{", False), (b'{"a": NaN}', True)],
)
def test_content_is_none_if_the_body_is_not_json(content: bytes, is_json: bool) -> None:
    with serving(in_turn(Response(content))) as server:
        assert (ask(server).content is not None) == is_json


def test_oversized_reply_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "MAX_REPLY", 2**20)
    with (
        serving(in_turn(Response(b" " * 2**22))) as server,
        pytest.raises(SampleError, match="more than 1 MiB"),
    ):
        ask(server)
    assert len(server.requests) == 1


def test_key_is_sent_but_removed_from_texts(no_backoff: None) -> None:
    with serving(in_turn(GOOD)) as server:
        service = Service(server.url, 5, f"Key {SECRET}")
        service.ask("x", {})
        assert server.requests[0].headers["Authorization"] == f"Key {SECRET}"
        assert service.sanitize(f"a\n{SECRET}\x1b[31m") == r"a ***\x1b[31m"


def test_reply_that_cannot_be_decompressed_is_not_retried(no_backoff: None) -> None:
    corrupt = Response(b"no gzip", 200, {"Content-Encoding": "gzip"})
    with serving(in_turn(corrupt)) as server, pytest.raises(SampleError, match="cannot be decompressed") as caught:
        ask(server)
    assert (caught.value.kind, len(server.requests)) == ("BadReply", 1)


def test_retry_after_accepts_a_date(no_backoff: None) -> None:
    with serving(in_turn(Response({}, 503, {"Retry-After": "Fri, 31 Dec 2099 23:59:59 GMT"}))) as server:
        ask(server)
    assert len(server.requests) == 1


def test_redirects_are_not_followed(no_backoff: None) -> None:
    with (
        serving(in_turn(GOOD)) as other,
        serving(in_turn(Response("", 307, {"Location": f"{other.url}/x"}))) as server,
    ):
        assert ask(server, key=f"Key {SECRET}").status == 307
        assert other.requests == []


@pytest.mark.parametrize("key", [f"Key {SECRET}\nX-Evil: 1", f"Key {SECRET} x", "Key schlüssel", f"Key {SECRET}\0"])
def test_malformed_key_is_rejected_without_showing_it(key: str) -> None:
    with pytest.raises(SetupError, match="not allowed in a key") as caught:
        Service("https://example.com", 5, key)
    assert key.split()[1] not in str(caught.value)


def test_key_needs_tls() -> None:
    with pytest.raises(SetupError, match="would be sent without encryption: use an https:// address"):
        Service("http://example.com", 5, f"Key {SECRET}")


@pytest.mark.parametrize(
    "address",
    [
        "", "example.com", "ftp://example.com", "http://", "https://:80", "http://a b", "http://[::1", "file:///etc",
        "http://x:99999",
        "http://x:0", f"http://{'a' * 70}.com", "http://x?a=b", "http://x#y", "http://x\n", "http://é..", " http://x",
    ],
)  # fmt: skip
def test_malformed_address_is_rejected(address: str) -> None:
    with pytest.raises(UsageError, match="address"):
        check_address(address)


def test_address_with_password_is_rejected_without_showing_it() -> None:
    with pytest.raises(UsageError, match="remove user name and password") as caught:
        check_address("https://me:swordfish@example.com")
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "nonsense://x"), ("SSL_CERT_FILE", "/no/such/file"), ("ALL_PROXY", "socks5://x")],
)
def test_unusable_proxy_or_certificate_is_a_setup_error(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match="proxies or certificates that the environment names"):
        Service("https://example.com", 5)


def test_localhost_bypasses_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(in_turn(GOOD)) as server:
        assert ask(server).status == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a self-signed certificate for 127.0.0.1, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_unknown_certificate_is_rejected(no_backoff: None, certificate: Path) -> None:
    with (
        serving(in_turn(GOOD), certificate) as server,
        pytest.raises(SampleError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"),
    ):
        ask(server, key=f"Key {SECRET}")
    assert server.requests == []


@pytest.mark.parametrize("delivery", ["whole", "drip"])
def test_certificate_from_the_environment_is_trusted(
    no_backoff: None, certificate: Path, monkeypatch: pytest.MonkeyPatch, delivery: Any
) -> None:
    """The time limit applies over TLS, too."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    monkeypatch.setattr(service_module, "MAX_ATTEMPTS", 1)
    with serving(in_turn(Response({"success": "x" * 1000}, delivery=delivery)), certificate) as server:
        if delivery == "whole":
            assert ask(server).status == 200
        else:
            with pytest.raises(SampleError, match="did not answer"):
                ask(server, timeout=0.5)


def test_threads_get_their_own_replies(no_backoff: None) -> None:
    def handle(request: Any) -> Response:
        time.sleep(0.05)
        return Response(request.body)

    with serving(handle) as server:
        service = Service(server.url, 5)
        contents: dict[int, object] = {}
        threads = [
            threading.Thread(target=lambda n=n: contents.update({n: service.ask("x", {"n": n}).content}))  # type: ignore[misc]
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert contents == {n: {"n": n} for n in range(16)}
        assert 8 < server.max_concurrent <= 16


def test_backoff_grows() -> None:
    """The longest random pause grows with each attempt, up to 8 s."""
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    longest = []
    for attempt in range(1, MAX_ATTEMPTS):
        state.attempt_number = attempt
        longest.append(max(service_module._pause(state) for _ in range(200)))
    assert longest == sorted(longest)
    assert 0.2 < longest[0] <= 0.5 < longest[-1] <= 8
