"""Clarifai's models, of a server that speaks its documented JSON: concepts, and every refusal."""

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tenacity
import torch
from conftest import Run
from PIL import Image
from servers import OK, Asked, Says, Server, clarifai, concepts, in_turn, refusal, serving

from dptools.classifiers import Classifier, load
from dptools.classifiers.services import service as module
from dptools.errors import SampleError, SetupError, UsageError

SECRET = "pat-0123456789abcdef"
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
DOGS = concepts(("bull mastiff", 0.9), ("dog", 0.75), ("no person", 0.7), ("boxer", 0.1))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_PAT", SECRET)
    monkeypatch.setattr(module, "_backoff", tenacity.wait_none())


def model(server: Server, name: str = "clarifai:food", timeout: float = 5.0) -> Classifier:
    return load(name, device="cpu", endpoint=server.url, timeout=timeout)


def asked_for(server: Server) -> bytes:
    return base64.b64decode(server.posts[-1].body["inputs"][0]["data"]["image"]["base64"])


def test_concepts_come_out_and_the_image_goes_in_as_it_is() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        (answer,) = model(server).answers([PIXELS])
        assert answer.top(2) == [
            {"index": 243, "wnid": "n02108422", "name": "bull mastiff", "p": 0.9},
            {"name": "dog", "p": 0.75},
        ]
        assert (answer.rank(243), answer.rank(242), answer.rank(0)) == (1, 4, 1001)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(asked_for(server)))), PIXELS)
        paths = [each.path for each in server.asked]
        assert paths == ["/v2/users/clarifai/apps/main/models/food", f"{paths[0]}/versions/v-1/outputs"]
        assert {each.headers["Authorization"] for each in server.asked} == {f"Key {SECRET}"}


def test_anyone_s_model_is_asked_by_user_and_app() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        model(server, "clarifai:me/my-app/dogs")
        assert server.asked[0].path == "/v2/users/me/apps/my-app/models/dogs"


def test_attacks_see_the_classes_of_imagenet_and_one_more() -> None:
    with serving(clarifai(in_turn(DOGS))) as server:
        classifier = model(server)
        scores = classifier(torch.zeros(2, 3, 8, 8))
    assert scores.shape == (2, 1001)
    best = scores[0].topk(3).indices.tolist()
    assert best[:2] == [243, 1000]


REFUSALS: list[tuple[str, Says, str, str, int]] = [
    ("bad key", refusal(401, 11008, "Invalid API key"), "ServiceError", "code 11008: Invalid API key", 1),
    ("bad token", refusal(401, 11001, "Invalid authentication token"), "ServiceError", "code 11001", 1),
    ("no rights", refusal(403, 11007, "insufficient scopes"), "ServiceError", "code 11007", 1),
    ("month spent", refusal(429, 11004, "monthly limit"), "OverQuota", "code 11004: monthly limit", 1),
    ("hour spent", refusal(429, 11003, "hourly limit"), "OverQuota", "code 11003", 1),
    ("limits spent", refusal(402, 11006, "account limits"), "OverQuota", "code 11006", 1),
    ("throttled", refusal(429, 11005, "too many requests"), "ServiceError", "code 11005", 5),
    ("no such model", refusal(404, 21200, "Model does not exist"), "ServiceError", "code 21200: Model does not", 1),
    ("being deployed", refusal(200, 21351, "Model is deploying"), "ServiceError", "code 21351", 5),
    ("bad image", refusal(400, 30300, "Failed to decode"), "ServiceError", "code 30300: Failed to decode", 1),
    ("failure", refusal(400, 10020, "Failure"), "ServiceError", "code 10020: Failure", 1),
    ("try again", refusal(500, 10030, "Try the request again"), "ServiceError", "code 10030", 5),
    ("gateway", Says(b"<html>Bad gateway</html>", 502), "ServiceError", "answered 502", 5),
    ("moved", Says(b"", 302, {"Location": "http://127.0.0.1:9/"}), "ServiceError", "answered 302", 1),
    ("no JSON", Says(b"<html>Welcome</html>"), "BadReply", "not Clarifai's JSON", 1),
    ("half the JSON", Says(DOGS.body[:200]), "BadReply", "not Clarifai's JSON", 1),
    ("cut off", Says(DOGS.content, manner="cut"), "ServiceBroken", "broke the connection off", 5),
    ("closed", Says(b"", manner="closed"), "ServiceBroken", "broke the connection off", 5),
    ("slow", Says(DOGS.content, manner="slow"), "ServiceSlow", "did not answer within 0.2 s", 5),
    ("drip", Says(DOGS.content, manner="drip"), "ServiceSlow", "did not answer within 0.2 s", 5),
    ("other JSON", Says([1, 2]), "BadReply", "not Clarifai's JSON", 1),
    ("no outputs", Says({"status": OK}), "BadReply", "no list of concepts", 1),
    ("two outputs", Says({"status": OK, "outputs": [{}, {}]}), "BadReply", "no list of concepts", 1),
    ("regions only", Says({"status": OK, "outputs": [{"data": {"regions": []}}]}), "BadReply", "no list of", 1),
    ("truth for a number", concepts(("dog", True)), "BadReply", "no list of concepts", 1),
    ("text output", Says({"status": OK, "outputs": ["x"]}), "BadReply", "no list of concepts", 1),
    ("strange status", Says({"status": "fine", "outputs": []}), "ServiceError", "answered 200, code None", 1),
    (
        "failed output",
        Says({"status": {"code": 10010}, "outputs": [{"status": {"code": 30300, "description": "no image"}}]}),
        "ServiceError", "code 30300: no image", 1,
    ),
    (
        "failed output, fine status",
        Says({"status": OK, "outputs": [{"status": {"code": 30300, "description": "no image"}}]}),
        "ServiceError", "code 30300: no image", 1,
    ),
    *(
        (f"concepts {data}", Says({"status": OK, "outputs": [{"status": OK, "data": data}]}), "BadReply", "no list", 1)
        for data in (
            3, {"concepts": 3}, {"concepts": [3]}, {"concepts": [{"name": "x"}]},
            {"concepts": [{"name": 3, "value": 0.5}]}, {"concepts": [{"name": "x", "value": "0.5"}]},
            {"concepts": [{"name": "x", "value": 7}]}, {"concepts": [{"name": "x", "value": float("nan")}]},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "kind", "message", "requests"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_each_failure_is_told_and_asked_again_only_where_that_helps(
    says: Says, kind: str, message: str, requests: int
) -> None:
    with serving(clarifai(in_turn(says))) as server:
        classifier = model(server, timeout=0.2 if kind == "ServiceSlow" else 5)
        with pytest.raises(SampleError) as caught:
            classifier.answers([PIXELS])
    assert caught.value.kind == kind
    assert message in caught.value.message
    assert SECRET not in caught.value.message
    assert len(server.posts) == requests


def test_no_concepts_are_an_answer() -> None:
    for data, code in (({}, 10000), ({"concepts": []}, 10001)):
        fine = {"code": code}
        with serving(clarifai(in_turn(Says({"status": fine, "outputs": [{"status": fine, "data": data}]})))) as server:
            (answer,) = model(server).answers([PIXELS])
            assert answer.top(5) == []
            assert answer.rank(3) == 1001  # behind all classes, so that it never counts as right


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (refusal(401, 11008, "Invalid API key"), "answered 401, code 11008: Invalid API key"),
        (refusal(404, 21200, "Model does not exist"), "answered 404, code 21200: Model does not exist"),
        (refusal(401, 11009, f"Key {SECRET} is unknown"), r"Key \*\*\* is unknown"),
        (Says({"status": OK}), "describes no model of this name"),
        (Says({"status": OK, "model": {"model_version": None}}), "describes no model"),
        (Says({"status": OK, "model": {"model_version": "v"}}), "describes no model"),
        (Says({"status": OK, "model": {"model_version": {"id": "../../x"}}}), "describes no model"),
        (Says(b"<html>"), "not Clarifai's JSON"),
        (Says(b"", manner="closed"), "broke the connection off"),
    ],
)
def test_a_model_that_cannot_be_had_is_a_matter_of_the_set_up(says: Says, message: str) -> None:
    with serving(in_turn(says)) as server, pytest.raises(SetupError, match=f"clarifai:food: .*{message}") as caught:
        model(server)
    assert SECRET not in str(caught.value)


def test_without_a_key_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_PAT", " ")
    with (
        serving(clarifai(in_turn(DOGS))) as server,
        pytest.raises(SetupError, match="access token into the environment variable CLARIFAI_PAT"),
    ):
        model(server)
    assert server.asked == []


@pytest.mark.parametrize("name", ["", "a/b", "a/b/c/d", "../x/y", "a b", "x?y", "é", "a/../b"])
def test_what_names_no_model_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="clarifai:USER/APP/MODEL"):
        load(f"clarifai:{name}")


def by_width(seconds: Callable[[int], float] = lambda _: 0, fail: int = 0) -> Callable[[Asked], Says]:
    """Answers that tell the image's width; every so many images, a refusal."""

    def answer(asked: Asked) -> Says:
        image = base64.b64decode(asked.body["inputs"][0]["data"]["image"]["base64"])
        width = Image.open(io.BytesIO(image)).width
        time.sleep(seconds(width))
        return refusal(400, 30300, "bad") if fail and width % fail == 0 else concepts((f"width {width}", 0.5))

    return answer


def folder(tmp_path: Path, count: int) -> None:
    (tmp_path / "images").mkdir()
    for width in range(1, count + 1):
        Image.new("RGB", (width, 8)).save(tmp_path / "images" / f"{width:03}.png")


@pytest.mark.parametrize(("jobs", "most"), [("", 8), ("-j 3", 3)])
def test_a_folder_in_order_a_few_at_once_each_once_with_what_failed_in_it(
    sh: Run, tmp_path: Path, environment: dict[str, str], jobs: str, most: int
) -> None:
    folder(tmp_path, 30)
    answer = by_width(lambda width: 0.15 if width % 7 == 0 else 0.03, fail=10)
    with serving(clarifai(answer)) as server:
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
    assert most - 2 <= server.most_at_once <= most
    assert SECRET not in ran.stdout + ran.stderr


@pytest.mark.slow
def test_ten_thousand_images_of_which_one_in_a_hundred_fails(
    sh: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "images").mkdir()
    for number in range(10_000):
        Image.new("RGB", (number % 100 + 1, number // 100 + 1)).save(tmp_path / "images" / f"{number:05}.png")

    def answer(asked: Asked) -> Says:
        width, height = Image.open(
            io.BytesIO(base64.b64decode(asked.body["inputs"][0]["data"]["image"]["base64"]))
        ).size
        if width == height:
            return refusal(400, 30300, "bad")
        return concepts((f"{width} x {height}", 0.5))

    with serving(clarifai(answer)) as server:
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


def test_names_mean_what_a_dictionary_says(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "n02108422").mkdir()
    Image.new("RGB", (5, 5)).save(tmp_path / "n02108422" / "a.png")
    (tmp_path / "names.tsv").write_text("dog\tbull mastiff\ndog\tboxer\n# a remark\n\nNO person\tn01440764\n")
    environment = {**environment, "CLARIFAI_PAT": SECRET}
    with serving(clarifai(in_turn(concepts(("human", 0.8), ("dog", 0.7), ("no_person", 0.6))))) as server:
        command = f"dp-classify --model clarifai:x --labels names.tsv --endpoint {server.url} ."
        ran = sh(command, env=environment)
        shown = sh(f"script -qec '{command}' /dev/null", env=environment)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)["classify"]
    assert found["label_rank"] == 2
    assert found["top"][1:] == [
        {"name": "dog", "p": 0.7},
        {"index": 0, "wnid": "n01440764", "name": "no_person", "p": 0.6},
    ]
    assert "80.0 %  human\n" in shown.stdout


def test_the_tool_ends_with_3_where_nothing_can_be_asked(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    folder(tmp_path, 1)
    environment = {key: value for key, value in environment.items() if key != "CLARIFAI_PAT"}
    ran = sh("dp-classify --model clarifai:food images", env=environment)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.count("\n") == 1
    with serving(in_turn(refusal(401, 11008, f"Invalid key {SECRET}"))) as server:
        command = f"dp-classify --debug --model clarifai:food --endpoint {server.url} images"
        ran = sh(command, env={**environment, "CLARIFAI_PAT": SECRET})
    assert ran.returncode == 3
    assert "code 11008: Invalid key ***" in ran.stderr
    assert SECRET not in ran.stderr


def test_an_interrupt_ends_it_while_the_service_sleeps(sh: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    folder(tmp_path, 3)
    with serving(clarifai(in_turn(Says(DOGS.content, manner="slow")))) as server:
        environment = {**environment, "CLARIFAI_PAT": SECRET}
        start = time.monotonic()
        ran = sh(f"timeout -s INT 6 dp-classify --model clarifai:x --endpoint {server.url} images", env=environment)
    assert time.monotonic() - start < 12
    assert ran.returncode in (124, 130)
    assert "Traceback" not in ran.stderr
