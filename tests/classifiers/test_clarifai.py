"""Clarifai: concepts and error replies, from a local server that follows the documented JSON format."""

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tenacity
import torch
from conftest import Run
from PIL import Image
from servers import OK, Request, Response, Server, clarifai, clarifai_error, concepts, in_turn, serving

from dptools.classifiers import Classifier, load
from dptools.classifiers.services import service as service_module
from dptools.errors import SampleError, SetupError, UsageError
from dptools.pipe.sample import Sample
from dptools.tools.classify.certification import CertificationOptions
from dptools.tools.classify.certifying import CertifyProcessor
from dptools.tools.shared import Labels

SECRET = "pat-0123456789abcdef"
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
DOGS = concepts(("bull mastiff", 0.9), ("dog", 0.75), ("no person", 0.7), ("boxer", 0.1))


@pytest.fixture(autouse=True)
def key_and_no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_PAT", SECRET)
    monkeypatch.setattr(service_module, "_backoff", tenacity.wait_none())


def model(server: Server, name: str = "clarifai:food", timeout: float = 5.0) -> Classifier:
    return load(name, device="cpu", endpoint=server.url, timeout=timeout)


def sent_image(server: Server) -> bytes:
    return base64.b64decode(server.posts[-1].body["inputs"][0]["data"]["image"]["base64"])


def test_sends_the_unchanged_image_and_returns_concepts() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        (prediction,) = model(server).predict([PIXELS])
        assert prediction.top(2) == [
            {"index": 243, "wnid": "n02108422", "name": "bull mastiff", "p": 0.9},
            {"name": "dog", "p": 0.75},
        ]
        assert (prediction.rank(243), prediction.rank(242), prediction.rank(0)) == (1, 4, 1001)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(sent_image(server)))), PIXELS)
        paths = [request.path for request in server.requests]
        assert paths == ["/v2/users/clarifai/apps/main/models/food", f"{paths[0]}/versions/v-1/outputs"]
        assert {request.headers["Authorization"] for request in server.requests} == {f"Key {SECRET}"}


def test_full_name_selects_user_and_app() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        model(server, "clarifai:me/my-app/dogs")
        assert server.requests[0].path == "/v2/users/me/apps/my-app/models/dogs"


def test_logits_cover_imagenet_and_one_more_class() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        classifier = model(server)
        scores = classifier(torch.zeros(2, 3, 8, 8))
    assert scores.shape == (2, 1001)
    best = scores[0].topk(3).indices.tolist()
    assert best[:2] == [243, 1000]


ERRORS: list[tuple[str, Response, str, str, int]] = [
    ("bad key", clarifai_error(401, 11008, "Invalid API key"), "ServiceError", "code 11008: Invalid API key", 1),
    ("bad token", clarifai_error(401, 11001, "Invalid authentication token"), "ServiceError", "code 11001", 1),
    ("no rights", clarifai_error(403, 11007, "insufficient scopes"), "ServiceError", "code 11007", 1),
    ("month spent", clarifai_error(429, 11004, "monthly limit"), "OverQuota", "code 11004: monthly limit", 1),
    ("hour spent", clarifai_error(429, 11003, "hourly limit"), "OverQuota", "code 11003", 1),
    ("limits spent", clarifai_error(402, 11006, "account limits"), "OverQuota", "code 11006", 1),
    ("throttled", clarifai_error(429, 11005, "too many requests"), "ServiceError", "code 11005", 5),
    ("no such model", clarifai_error(404, 21200, "Model does not exist"), "ServiceError", "21200: Model does not", 1),
    ("being deployed", clarifai_error(200, 21351, "Model is deploying"), "ServiceError", "code 21351", 5),
    ("bad image", clarifai_error(400, 30300, "Failed to decode"), "ServiceError", "code 30300: Failed to decode", 1),
    ("failure", clarifai_error(400, 10020, "Failure"), "ServiceError", "code 10020: Failure", 1),
    ("try again", clarifai_error(500, 10030, "Try the request again"), "ServiceError", "code 10030", 5),
    ("gateway", Response(b"<html>Bad gateway</html>", 502), "ServiceError", "answered 502", 5),
    ("moved", Response(b"", 302, {"Location": "http://127.0.0.1:9/"}), "ServiceError", "answered 302", 1),
    ("no JSON", Response(b"<html>Welcome</html>"), "BadReply", "not Clarifai's JSON", 1),
    ("half the JSON", Response(DOGS.body[:200]), "BadReply", "not Clarifai's JSON", 1),
    ("cut off", Response(DOGS.content, delivery="cut"), "ServiceBroken", "closed the connection", 5),
    ("closed", Response(b"", delivery="closed"), "ServiceBroken", "closed the connection", 5),
    ("slow", Response(DOGS.content, delivery="slow"), "ServiceSlow", "did not answer within 0.2 s", 5),
    ("drip", Response(DOGS.content, delivery="drip"), "ServiceSlow", "did not answer within 0.2 s", 5),
    ("other JSON", Response([1, 2]), "BadReply", "not Clarifai's JSON", 1),
    ("no outputs", Response({"status": OK}), "BadReply", "without a list of concepts", 1),
    ("two outputs", Response({"status": OK, "outputs": [{}, {}]}), "BadReply", "without a list of concepts", 1),
    ("regions only", Response({"status": OK, "outputs": [{"data": {"regions": []}}]}), "BadReply", "without a list", 1),
    ("bool as probability", concepts(("dog", True)), "BadReply", "without a list of concepts", 1),
    ("text output", Response({"status": OK, "outputs": ["x"]}), "BadReply", "without a list of concepts", 1),
    ("list as code", Response({"status": {"code": [10000]}}), "ServiceError", "answered 200, code None", 1),
    ("strange status", Response({"status": "fine", "outputs": []}), "ServiceError", "answered 200, code None", 1),
    (
        "failed output",
        Response({"status": {"code": 10010}, "outputs": [{"status": {"code": 30300, "description": "no image"}}]}),
        "ServiceError", "code 30300: no image", 1,
    ),
    (
        "failed output, fine status",
        Response({"status": OK, "outputs": [{"status": {"code": 30300, "description": "no image"}}]}),
        "ServiceError", "code 30300: no image", 1,
    ),
    *(
        (
            f"concepts {data}", Response({"status": OK, "outputs": [{"status": OK, "data": data}]}),
            "BadReply", "without a list of concepts", 1,
        )
        for data in (
            3, {"concepts": 3}, {"concepts": [3]}, {"concepts": [{"name": "x"}]},
            {"concepts": [{"name": 3, "value": 0.5}]}, {"concepts": [{"name": "x", "value": "0.5"}]},
            {"concepts": [{"name": "x", "value": 7}]}, {"concepts": [{"name": "x", "value": float("nan")}]},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("response", "kind", "message", "requests"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS]
)
def test_failures_are_reported_and_retried_only_if_transient(
    response: Response, kind: str, message: str, requests: int
) -> None:
    with serving(clarifai(in_turn(response))) as server:
        classifier = model(server, timeout=0.2 if kind == "ServiceSlow" else 5)
        with pytest.raises(SampleError) as caught:
            classifier.predict([PIXELS])
    assert caught.value.kind == kind
    assert message in caught.value.message
    assert SECRET not in caught.value.message
    assert len(server.posts) == requests


def test_empty_list_of_concepts_is_valid() -> None:
    for data, code in (({}, 10000), ({"concepts": []}, 10001)):
        status = {"code": code}
        with serving(
            clarifai(in_turn(Response({"status": status, "outputs": [{"status": status, "data": data}]})))
        ) as server:
            (prediction,) = model(server).predict([PIXELS])
            assert prediction.top(5) == []
            assert prediction.rank(3) == 1001  # behind all classes, so that it never counts as correct


NOTHING = Response({"status": OK, "outputs": [{"status": OK, "data": {}}]})
"""Clarifai's reply if it detected no concept."""


def certify(server: Server, labels: Labels, **record: Any) -> dict[str, Any]:
    """Return the record of an image that a service certifies by 10 draws."""
    options = CertificationOptions((0.1,), True, None, draws=10, alpha=0.1)
    processor = CertifyProcessor("dp-classify", options, model(server), None, labels, 5)
    (done,) = processor([Sample({"id": "a", "path": "a.png", "source": "a.png", **record}, PIXELS)])
    return done.record


def test_a_noisy_image_without_a_concept_votes_for_a_class_of_its_own() -> None:
    replies = in_turn(*[concepts(("dog", 0.9))] * 3, *[NOTHING] * 8)
    with serving(clarifai(replies)) as server:
        record = certify(server, Labels("243"))
    assert record["classify"]["top"] == [{"name": "nothing", "p": 0.7273}, {"name": "dog", "p": 0.2727}]
    assert record["certify"]["count"] == 2
    assert record["certify"]["abstained"]
    with serving(clarifai(in_turn(NOTHING))) as server:
        assert certify(server, Labels("243"))["certify"]["class"] == "nothing"


def test_an_unknown_label_costs_no_requests() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        assert certify(server, Labels(), label="unicorn")["error"]["type"] == "UnknownLabel"
        assert server.posts == []


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (clarifai_error(401, 11008, "Invalid API key"), "answered 401, code 11008: Invalid API key"),
        (clarifai_error(404, 21200, "Model does not exist"), "answered 404, code 21200: Model does not exist"),
        (clarifai_error(401, 11009, f"Key {SECRET} is unknown"), r"Key \*\*\* is unknown"),
        (Response({"status": OK}), "does not describe a model of this name"),
        (Response({"status": OK, "model": {"model_version": None}}), "does not describe a model"),
        (Response({"status": OK, "model": {"model_version": "v"}}), "does not describe a model"),
        (Response({"status": OK, "model": {"model_version": {"id": "../../x"}}}), "does not describe a model"),
        (Response(b"<html>"), "not Clarifai's JSON"),
        (Response(b"", delivery="closed"), "closed the connection"),
    ],
)
def test_unavailable_model_is_a_setup_error(response: Response, message: str) -> None:
    with serving(in_turn(response)) as server, pytest.raises(SetupError, match=f"clarifai:food: .*{message}") as caught:
        model(server)
    assert SECRET not in str(caught.value)


def test_missing_key_is_a_setup_error_without_any_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_PAT", " ")
    with (
        serving(clarifai(in_turn(DOGS))) as server,
        pytest.raises(SetupError, match="set the environment variable CLARIFAI_PAT"),
    ):
        model(server)
    assert server.requests == []


@pytest.mark.parametrize("name", ["", "a/b", "a/b/c/d", "../x/y", "a b", "x?y", "é", "a/../b"])
def test_malformed_name_is_rejected(name: str) -> None:
    with pytest.raises(UsageError, match="clarifai:USER/APP/MODEL"):
        load(f"clarifai:{name}")


def name_by_width(seconds: Callable[[int], float] = lambda _: 0, fail: int = 0) -> Callable[[Request], Response]:
    """Return a handler that replies with the image's width, and with an error if `fail` divides the width."""

    def handle(request: Request) -> Response:
        image = base64.b64decode(request.body["inputs"][0]["data"]["image"]["base64"])
        width = Image.open(io.BytesIO(image)).width
        time.sleep(seconds(width))
        return clarifai_error(400, 30300, "bad") if fail and width % fail == 0 else concepts((f"width {width}", 0.5))

    return handle


def write_images(tmp_path: Path, count: int) -> None:
    """Write images with widths from 1 to count."""
    (tmp_path / "images").mkdir()
    for width in range(1, count + 1):
        Image.new("RGB", (width, 8)).save(tmp_path / "images" / f"{width:03}.png")


@pytest.mark.parametrize(("jobs", "expected"), [("", 8), ("-j 3", 3)])
def test_folder_is_sent_concurrently_and_recorded_in_order(
    sh: Run, tmp_path: Path, environment: dict[str, str], jobs: str, expected: int
) -> None:
    write_images(tmp_path, 30)
    handle = name_by_width(lambda width: 0.15 if width % 7 == 0 else 0.03, fail=10)
    with serving(clarifai(handle)) as server:
        environment = {**environment, "CLARIFAI_PAT": SECRET}
        ran = sh(f"dp-classify --model clarifai:food --endpoint {server.url} {jobs} images", env=environment)
    assert ran.returncode == 1, ran.stderr
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record["id"] for record in records] == [f"{width:03}.png" for width in range(1, 31)]
    for width, record in enumerate(records, 1):
        if width % 10 == 0:
            assert record["error"]["type"] == "ServiceError"
            assert "code 30300" in record["error"]["message"]
        else:
            assert record["classify"]["top"] == [{"name": f"width {width}", "p": 0.5}]
            assert record["classify"]["model"] == "clarifai:food"
    assert len(server.posts) == 30
    assert expected - 2 <= server.max_concurrent <= expected
    assert SECRET not in ran.stdout + ran.stderr


@pytest.mark.slow
def test_ten_thousand_images_with_one_percent_failures(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "images").mkdir()
    for number in range(10_000):
        Image.new("RGB", (number % 100 + 1, number // 100 + 1)).save(tmp_path / "images" / f"{number:05}.png")

    def handle(request: Request) -> Response:
        width, height = Image.open(
            io.BytesIO(base64.b64decode(request.body["inputs"][0]["data"]["image"]["base64"]))
        ).size
        if width == height:
            return clarifai_error(400, 30300, "bad")
        return concepts((f"{width} x {height}", 0.5))

    with serving(clarifai(handle)) as server:
        environment = {**environment, "CLARIFAI_PAT": SECRET}
        ran = sh(f"dp-classify --model clarifai:food --endpoint {server.url} images", env=environment)
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.returncode, ran.stderr.count("\n"), len(server.posts)) == (1, 100, 10_000)
    assert [record["id"] for record in records] == [f"{number:05}.png" for number in range(10_000)]
    for number, record in enumerate(records):
        width, height = number % 100 + 1, number // 100 + 1
        if width == height:
            assert record["error"]["type"] == "ServiceError"
        else:
            assert record["classify"]["top"] == [{"name": f"{width} x {height}", "p": 0.5}]


def test_label_map_gives_ranks_for_concepts(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "n02108422").mkdir()
    Image.new("RGB", (5, 5)).save(tmp_path / "n02108422" / "a.png")
    (tmp_path / "names.tsv").write_text("dog\tbull mastiff\ndog\tboxer\n# a comment\n\nNO person\tn01440764\n")
    environment = {**environment, "CLARIFAI_PAT": SECRET}
    with serving(clarifai(in_turn(concepts(("human", 0.8), ("dog", 0.7), ("no_person", 0.6))))) as server:
        command = f"dp-classify --model clarifai:x --labels names.tsv --endpoint {server.url} ."
        ran = sh(command, env=environment)
        shown = sh(f"script -qec '{command}' /dev/null", env=environment)
    assert ran.returncode == 0, ran.stderr
    classified = json.loads(ran.stdout)["classify"]
    assert classified["label_rank"] == 2
    assert classified["top"][1:] == [
        {"name": "dog", "p": 0.7},
        {"index": 0, "wnid": "n01440764", "name": "no_person", "p": 0.6},
    ]
    assert "80.0 %  human\n" in shown.stdout


def test_unusable_key_ends_with_status_3(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    write_images(tmp_path, 1)
    environment = {key: value for key, value in environment.items() if key != "CLARIFAI_PAT"}
    ran = sh("dp-classify --model clarifai:food images", env=environment)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.count("\n") == 1
    with serving(in_turn(clarifai_error(401, 11008, f"Invalid key {SECRET}"))) as server:
        command = f"dp-classify --debug --model clarifai:food --endpoint {server.url} images"
        ran = sh(command, env={**environment, "CLARIFAI_PAT": SECRET})
    assert ran.returncode == 3
    assert "code 11008: Invalid key ***" in ran.stderr
    assert SECRET not in ran.stderr


def test_interrupt_ends_the_run_while_the_service_is_slow(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    write_images(tmp_path, 3)
    with serving(clarifai(in_turn(Response(DOGS.content, delivery="slow")))) as server:
        environment = {**environment, "CLARIFAI_PAT": SECRET}
        start = time.monotonic()
        ran = sh(f"timeout -s INT 6 dp-classify --model clarifai:x --endpoint {server.url} images", env=environment)
    assert time.monotonic() - start < 12
    assert ran.returncode in (124, 130)
    assert "Traceback" not in ran.stderr
