"""Services over HTTP: what is asked again and what is not, how long it takes, and what is never shown."""

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import tenacity
from servers import Says, Server, in_turn, serving

from dptools.classifiers.services import service as module
from dptools.classifiers.services.endpoint import check_address
from dptools.classifiers.services.reply import TRANSIENT, Reply
from dptools.classifiers.services.service import ATTEMPTS, PATIENCE, Service
from dptools.errors import SampleError, SetupError, UsageError

GOOD = Says({"well": True})
SECRET = "pat-0123456789abcdef"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses but those that the service asks for."""
    monkeypatch.setattr(module, "_backoff", tenacity.wait_none())


def ask(server: Server, timeout: float = 5.0, key: str = "") -> Reply:
    return Service(server.url, timeout, key).ask("some/path", {"a": 1})


@pytest.mark.parametrize("status", sorted(TRANSIENT))
def test_what_may_pass_is_asked_again(hasty: None, status: int) -> None:
    with serving(in_turn(Says("no", status), Says("no", status), GOOD)) as server:
        assert ask(server).content == {"well": True}
        assert [each.path for each in server.asked] == ["/some/path"] * 3


@pytest.mark.parametrize("status", [200, 301, 302, 400, 401, 403, 404, 413, 422, 501])
def test_what_will_not_pass_is_asked_once(hasty: None, status: int) -> None:
    with serving(in_turn(Says("no", status, {"Location": "http://127.0.0.1:9/elsewhere"}))) as server:
        assert ask(server).status == status
        assert len(server.asked) == 1


def test_asking_ends(hasty: None) -> None:
    with serving(in_turn(Says("no", 503))) as server:
        assert ask(server).status == 503
        assert len(server.asked) == ATTEMPTS


@pytest.mark.parametrize("manner", ["cut", "closed"])
def test_a_broken_connection_is_made_again(hasty: None, manner: Any) -> None:
    with serving(in_turn(Says("x" * 100, manner=manner), GOOD)) as server:
        assert ask(server).content == {"well": True}
    with (
        serving(in_turn(Says("x" * 100, manner=manner))) as server,
        pytest.raises(SampleError, match="broke the connection off") as caught,
    ):
        ask(server)
    assert caught.value.kind == "ServiceBroken"
    assert len(server.asked) == ATTEMPTS


def test_a_pause_that_the_service_wants_is_made(hasty: None) -> None:
    with serving(in_turn(Says("no", 429, {"Retry-After": "1"}), GOOD)) as server:
        start = time.monotonic()
        assert ask(server).status == 200
        assert time.monotonic() - start >= 1


def test_a_pause_too_long_ends_it(hasty: None) -> None:
    with serving(in_turn(Says("no", 429, {"Retry-After": "3600"}), GOOD)) as server:
        assert ask(server).status == 429
        assert len(server.asked) == 1


@pytest.mark.parametrize("manner", ["slow", "drip"])
def test_an_answer_has_its_time_and_no_more(hasty: None, monkeypatch: pytest.MonkeyPatch, manner: Any) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    with serving(in_turn(Says("x" * 1000, manner=manner))) as server:
        start = time.monotonic()
        with pytest.raises(SampleError, match=r"did not answer within 0\.3 s"):
            ask(server, timeout=0.3)
        assert 0.6 <= time.monotonic() - start < 3
        assert len(server.asked) == 2


def test_a_service_that_is_down_holds_up_few(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        service = Service(f"http://127.0.0.1:{unused.getsockname()[1]}", 1)
        once = service._once
        monkeypatch.setattr(service, "_once", lambda *args: tried.append(1) or once(*args))
        for image in range(PATIENCE + 10):
            with pytest.raises(SampleError, match="cannot be reached") as caught:
                service.ask("x")
            assert caught.value.kind == "ServiceDown"
            assert len(tried) == ATTEMPTS * min(image + 1, PATIENCE) + max(image + 1 - PATIENCE, 0)


def test_one_that_is_back_is_trusted_again(hasty: None) -> None:
    answers = [*[Says("no", 503)] * (ATTEMPTS * PATIENCE + 1), GOOD, Says("no", 503), GOOD]
    with serving(in_turn(*answers)) as server:
        service = Service(server.url, 5)
        statuses = [service.ask("x", {}).status for _ in range(PATIENCE + 3)]
    assert statuses == [503] * (PATIENCE + 1) + [200, 200]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [(b"<html>", None), (b"", None), (b"[" * 100_000, None), (b"\xff\xfe{", None), (b'{"a": NaN}', "a number")],
)
def test_what_is_no_json_is_nothing(content: bytes, wanted: object) -> None:
    with serving(in_turn(Says(content))) as server:
        assert (ask(server).content is None) == (wanted is None)


def test_a_reply_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLY", 2**20)
    with (
        serving(in_turn(Says(b" " * 2**22))) as server,
        pytest.raises(SampleError, match="more than 1 MiB"),
    ):
        ask(server)
    assert len(server.asked) == 1


def test_a_key_is_sent_and_never_shown(hasty: None) -> None:
    with serving(in_turn(GOOD)) as server:
        service = Service(server.url, 5, f"Key {SECRET}")
        service.ask("x", {})
        assert server.asked[0].headers["Authorization"] == f"Key {SECRET}"
        assert service.say(f"a\n{SECRET}\x1b[31m") == r"a ***\x1b[31m"


def test_an_answer_that_cannot_be_unpacked_is_one_and_not_asked_for_again(hasty: None) -> None:
    packed = Says(b"no gzip", 200, {"Content-Encoding": "gzip"})
    with serving(in_turn(packed)) as server, pytest.raises(SampleError, match="answered with") as caught:
        ask(server)
    assert (caught.value.kind, len(server.asked)) == ("BadReply", 1)


def test_a_pause_may_be_asked_for_as_a_date(hasty: None) -> None:
    with serving(in_turn(Says({}, 503, {"Retry-After": "Fri, 31 Dec 2099 23:59:59 GMT"}))) as server:
        ask(server)
    assert len(server.asked) == 1


def test_a_key_does_not_go_where_the_service_points_to(hasty: None) -> None:
    with (
        serving(in_turn(GOOD)) as other,
        serving(in_turn(Says("", 307, {"Location": f"{other.url}/x"}))) as server,
    ):
        assert ask(server, key=f"Key {SECRET}").status == 307
        assert other.asked == []


@pytest.mark.parametrize("key", [f"Key {SECRET}\nX-Evil: 1", f"Key {SECRET} x", "Key schlüssel", f"Key {SECRET}\0"])
def test_what_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SetupError, match="no key has") as caught:
        Service("https://example.com", 5, key)
    assert key.split()[1] not in str(caught.value)


def test_a_key_is_never_sent_in_the_clear() -> None:
    with pytest.raises(SetupError, match="not sent in the clear: give an https:// address"):
        Service("http://example.com", 5, f"Key {SECRET}")


@pytest.mark.parametrize(
    "address",
    [
        "", "example.com", "ftp://example.com", "http://", "https://:80", "http://a b", "http://[::1", "file:///etc",
        "http://x:99999",
        "http://x:0", f"http://{'a' * 70}.com", "http://x?a=b", "http://x#y", "http://x\n", "http://é..", " http://x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="address"):
        check_address(address)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match="no name and password") as caught:
        check_address("https://me:geheim@example.com")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "nonsense://x"), ("SSL_CERT_FILE", "/no/such/file"), ("ALL_PROXY", "socks5://x")],
)
def test_settings_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match="proxies or certificates that the environment names"):
        Service("https://example.com", 5)


def test_a_service_on_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(in_turn(GOOD)) as server:
        assert ask(server).status == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl here to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*made.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_a_certificate_that_nobody_vouches_for_is_refused(hasty: None, certificate: Path) -> None:
    with (
        serving(in_turn(GOOD), certificate) as server,
        pytest.raises(SampleError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"),
    ):
        ask(server, key=f"Key {SECRET}")
    assert server.asked == []


@pytest.mark.parametrize("manner", ["whole", "drip"])
def test_one_that_the_user_vouches_for_is_taken(
    hasty: None, certificate: Path, monkeypatch: pytest.MonkeyPatch, manner: Any
) -> None:
    """And an answer over TLS has its time as well."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with serving(in_turn(Says({"well": "x" * 1000}, manner=manner)), certificate) as server:
        if manner == "whole":
            assert ask(server).status == 200
        else:
            with pytest.raises(SampleError, match="did not answer"):
                ask(server, timeout=0.5)


def test_threads_each_have_a_connection_and_an_answer(hasty: None) -> None:
    def answer(asked: Any) -> Says:
        time.sleep(0.05)
        return Says(asked.body)

    with serving(answer) as server:
        service = Service(server.url, 5)
        found: dict[int, object] = {}
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: service.ask("x", {"n": n}).content}))  # type: ignore[misc]
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {n: {"n": n} for n in range(16)}
        assert 8 < server.most_at_once <= 16


def test_the_pauses_grow() -> None:
    """Without a service that asks for one, from nothing to a few seconds."""
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    longest = []
    for attempt in range(1, ATTEMPTS):
        state.attempt_number = attempt
        longest.append(max(module._pause(state) for _ in range(200)))
    assert longest == sorted(longest)
    assert 0.2 < longest[0] <= 0.5 < longest[-1] <= 8
