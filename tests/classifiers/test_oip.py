"""Open Inference Protocol: encoding of images, parsing of scores, and rejected models and replies."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tenacity
import torch
from conftest import Run
from PIL import Image
from servers import Request, Response, Server, in_turn, oip, scores, serving

from dptools.classifiers import Classifier, load
from dptools.classifiers.services import service as service_module
from dptools.errors import SampleError, SetupError, UsageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (224, 224, 3), dtype=np.uint8)
GOOD = scores(0.1, 2.0, 1.0)


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_backoff", tenacity.wait_none())


def model(server: Server, query: str = "", path: str = "/v2/models/m") -> Classifier:
    return load(f"oip+{server.url}{path}{query}", device="cpu", timeout=5)


def sent_tensor(server: Server) -> dict[str, Any]:
    tensor: dict[str, Any] = server.posts[-1].body["inputs"][0]
    return tensor


def test_sends_a_tensor_and_returns_probabilities() -> None:
    with serving(oip(in_turn(GOOD))) as server:
        classifier = model(server)
        (prediction,) = classifier.predict([PIXELS])
    assert [request.path for request in server.requests] == ["/v2/models/m", "/v2/models/m/infer"]
    assert prediction.top(2) == [
        {"index": 1, "name": "class 1", "p": 0.659},
        {"index": 2, "name": "class 2", "p": 0.2424},
    ]
    assert (classifier.name, classifier.weights) == (f"oip+{server.url}/v2/models/m", "version 7")
    sent = sent_tensor(server)
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("image", "FP32", [1, 3, 224, 224])
    values = np.array(sent["data"]).reshape(3, 224, 224)
    assert np.abs(values - PIXELS.transpose(2, 0, 1) / 255).max() < 1e-7
    assert server.posts[0].body["outputs"] == [{"name": "scores"}]


def test_mean_and_std_normalise_the_image() -> None:
    with serving(oip(in_turn(GOOD))) as server:
        model(server, "?mean=.485,.456,.406&std=.229,.224,.225").predict([PIXELS])
    values = np.array(sent_tensor(server)["data"]).reshape(3, 224, 224)
    expected = (PIXELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(values - expected.transpose(2, 0, 1)).max() < 1e-5


@pytest.mark.parametrize(
    ("datatype", "shape", "sent", "scale"),
    [
        ("FP32", (-1, 3, 224, 224), [1, 3, 224, 224], 1 / 255),
        ("FP16", (3, 224, 224), [3, 224, 224], 1 / 255),
        ("FP64", (1, 224, 224, 3), [1, 224, 224, 3], 1 / 255),
        ("UINT8", (-1, -1, -1, 3), [1, 224, 224, 3], 1),
        ("INT64", (1, 3, -1, -1), [1, 3, 224, 224], 1),
        ("FP32", (-1, -1, -1, -1), [1, 3, 224, 224], 1 / 255),
    ],
)
def test_tensor_layouts(datatype: str, shape: Sequence[int], sent: list[int], scale: float) -> None:
    with serving(oip(in_turn(GOOD), datatype=datatype, shape=shape)) as server:
        model(server).predict([PIXELS])
    assert sent_tensor(server)["shape"] == sent
    values = np.array(sent_tensor(server)["data"]).reshape(sent[-3:])
    values = values if sent[-1] == 3 else values.transpose(1, 2, 0)
    assert np.abs(values - PIXELS * scale).max() < 1e-6


def test_bytes_input_gets_an_unresized_png_in_base64() -> None:
    pixels = RNG.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    with serving(oip(in_turn(GOOD), datatype="BYTES", shape=[-1])) as server:
        model(server).predict([pixels])
    (text,) = sent_tensor(server)["data"]
    assert sent_tensor(server)["shape"] == [1]
    assert sent_tensor(server)["parameters"] == {"content_type": "base64"}
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))), pixels)


@pytest.mark.parametrize(("query", "side"), [("?size=96", 96), ("?size=96&resize=96", 96), ("", 224)])
def test_size_and_resize_options(query: str, side: int) -> None:
    with serving(oip(in_turn(GOOD), shape=(-1, 3, -1, -1))) as server:
        model(server, query).predict([RNG.integers(0, 256, (300, 200, 3), dtype=np.uint8)])
    assert sent_tensor(server)["shape"] == [1, 3, side, side]


@pytest.mark.parametrize(
    ("query", "side", "message"),
    [
        ("?resize=100", 224, "images resized to 100 pixels are smaller than the input of 224 pixels"),
        ("?size=96&resize=95", -1, "images resized to 95 pixels are smaller than the input of 96 pixels"),
        ("?size=300", 224, "accepts images of 224 x 224 pixels only, not 300"),
    ],
)
def test_sizes_that_the_model_does_not_accept_are_refused(query: str, side: int, message: str) -> None:
    with serving(oip(in_turn(GOOD), shape=(-1, 3, side, side))) as server, pytest.raises(UsageError, match=message):
        model(server, query)


@pytest.mark.parametrize(
    "data",
    [[0.7, 0.2, 0.1], [[0.7, 0.2, 0.1]], [[[0.7], [0.2], [0.1]]]],
)
def test_probabilities_are_accepted_flat_or_nested(data: object) -> None:
    with serving(oip(in_turn(scores(0, 0, 0, data=data)))) as server:
        (prediction,) = model(server).predict([PIXELS])
    assert [top["p"] for top in prediction.top(3)] == pytest.approx([0.7, 0.2, 0.1], abs=1e-4)


def test_open_class_count_is_determined_by_one_request() -> None:
    with serving(oip(in_turn(GOOD), outputs=[{"name": "scores", "datatype": "FP32", "shape": [-1, -1]}])) as server:
        assert len(model(server).classes) == 3
        assert len(server.posts) == 1


@pytest.mark.parametrize("shape", [[-1, 3, 1, 1], [3], [1, 1, 3], [-1, 3]])
def test_dimensions_of_length_one_are_ignored(shape: list[int]) -> None:
    outputs = [{"name": "scores", "datatype": "FP32", "shape": shape}]
    reply = scores(1, 2, 3, shape=[1 if side < 0 else side for side in shape])
    with serving(oip(in_turn(reply), outputs=outputs)) as server:
        (prediction,) = model(server).predict([PIXELS])
    assert prediction.rank(2) == 1


@pytest.mark.parametrize(("datatype", "shape"), [("UINT8", (1, 3, 224, 224)), ("BYTES", (1,))])
def test_mean_and_std_are_rejected_for_8_bit_inputs(datatype: str, shape: tuple[int, ...]) -> None:
    with serving(oip(in_turn(GOOD), datatype=datatype, shape=shape)) as server:
        with pytest.raises(UsageError, match=f"its input is {datatype}, which mean and std do not apply to"):
            model(server, "?mean=.485,.456,.406")
        model(server, "?mean=0,0,0")


@pytest.mark.parametrize(
    ("versions", "expected"), [(7, "unknown"), ("12", "unknown"), ([], "unknown"), (["1", "2"], "1/2")]
)
def test_malformed_versions_are_unknown(versions: object, expected: str) -> None:
    with serving(oip(in_turn(GOOD), versions=versions)) as server:
        assert model(server).weights == f"version {expected}"


def test_token_that_is_part_of_a_tensor_name_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIP_TOKEN", "out")
    with serving(oip(in_turn(GOOD))) as server:
        (prediction,) = model(server).predict([PIXELS])
    assert prediction.rank(1) == 1


def test_attack_sends_no_image_again_because_another_failed(sh: Run, tmp_path: Path) -> None:
    """Each request body has a different image: the clean one, or one with noise."""
    for number in range(4):
        Image.fromarray(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    rejected: list[str] = []

    def handle(request: Request) -> Response:
        body = json.dumps(request.body)
        with server.lock:
            rejected[1:1] = [] if rejected else [body]
        return Response({"error": "no"}, 400) if body == rejected[0] else scores(2.0, 1.0, 0.0)

    with serving(oip(handle, shape=(-1, 3, 16, 16))) as server:
        name = f"oip+{server.url}/v2/models/m"
        sh(f"dp-attack -a spn --set steps=3 --model {name} --batch-size 4 -j 1 --label 0 [0-3].png -o adv")
    bodies = [json.dumps(request.body) for request in server.posts]
    assert bodies.count(rejected[0]) == 1
    assert bodies.count(bodies[0]) == 1


def test_an_attack_that_needs_gradients_is_refused_without_any_request(in_process: Run) -> None:
    with serving(oip(in_turn(GOOD))) as server:
        for option in ("--model", "--transfer-from"):
            done = in_process(f": ; dp-attack {option} oip+{server.url}/v2/models/m a.png b.png -o adv")
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
            assert "has none, because a service computes it: choose agn, bun, spn, square" in done.stderr
        assert server.requests == []


def test_an_attack_transfers_from_a_service(in_process: Run, tmp_path: Path) -> None:
    Image.fromarray(PIXELS[:16, :16]).save(tmp_path / "a.png")
    with serving(oip(in_turn(scores(2.0, 1.0, 0.0)), shape=(-1, 3, 16, 16))) as server:
        model = f"oip+{server.url}/v2/models/m"
        attack = f"dp-attack -a spn --set steps=3 --label 0 --model {model} --transfer-from {model}"
        done = in_process(f": ; {attack} a.png -o adv")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["attack"]["transfer_from"] == model


def test_options_select_one_of_several_tensors() -> None:
    image = {"name": "a", "datatype": "FP32", "shape": [1, 3, 8, 8]}
    description = {"inputs": [{**image, "name": "b"}, image], "outputs": [{**image, "name": "x", "shape": [1, 3]}]}
    with serving(oip(in_turn(scores(1, 2, 3, name="x")), **description)) as server:
        with pytest.raises(UsageError, match=r"several inputs: add \?input=NAME with one of b, a"):
            model(server)
        with pytest.raises(UsageError, match="unknown input 'c': choose b, a"):
            model(server, "?input=c")
        model(server, "?input=a&output=x").predict([PIXELS])
    assert sent_tensor(server)["name"] == "a"


def test_token_and_model_version_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIP_TOKEN", "abc.def")
    with serving(oip(in_turn(GOOD))) as server:
        model(server, path="/v2/models/m/versions/7")
    assert server.requests[0].headers["Authorization"] == "Bearer abc.def"
    assert server.requests[0].path == "/v2/models/m/versions/7"


def test_gradient_is_a_sample_error() -> None:
    with serving(oip(in_turn(GOOD))) as server:
        classifier = model(server)
        images = torch.rand(2, 3, 224, 224, requires_grad=True)
        logits = classifier(images)
        assert logits.shape == (2, 3)
        with pytest.raises(SampleError, match="gives no gradients") as caught:
            logits.sum().backward()
    assert caught.value.kind == "NoGradient"


NAN = json.dumps({"outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 3], "data": [1, float("nan"), 2]}]})


@pytest.mark.parametrize(
    ("response", "kind", "message", "requests"),
    [
        (Response({"error": "out\nof memory"}, 500), "ServiceError", "answered 500: out of memory", 5),
        (Response({"error": "shape mismatch"}, 400), "ServiceError", "answered 400: shape mismatch", 1),
        (Response({"detail": ["x"]}, 422), "ServiceError", "answered 422", 1),
        (Response(b"<html>", 404), "ServiceError", "answered 404", 1),
        (Response(b"<html>"), "BadReply", "not the Open Inference Protocol's JSON", 1),
        (Response([]), "BadReply", "not the Open Inference Protocol's JSON", 1),
        (Response(GOOD.body[:50]), "BadReply", "not the Open Inference Protocol's JSON", 1),
        (Response(GOOD.body, delivery="cut"), "ServiceBroken", "closed the connection", 5),
        (Response({}), "BadReply", "without output 'scores'", 1),
        (Response({"outputs": 3}), "BadReply", "without output 'scores'", 1),
        (Response({"outputs": [{"name": "other"}]}), "BadReply", "without output 'scores'", 1),
        (scores(1, 2), "BadReply", "of shape [1, 2] with 2 values, but the model has 3 classes", 1),
        (scores(*range(6)), "BadReply", "6 values, but the model has 3 classes", 1),
        (scores(), "BadReply", "0 values", 1),
        (scores(1, 2, 3, shape=[1, 4]), "BadReply", "of shape [1, 4] with 3 values", 1),
        (scores(1, 2, 3, shape="x"), "BadReply", "shape x", 1),
        (scores(1, 2, 3, data=["1", "2", "3"]), "BadReply", "not all of them numbers", 1),
        (scores(1, 2, 3, data=None), "BadReply", "1 values", 1),
        (scores(1, 2, 3, data={"a": 1}), "BadReply", "1 values", 1),
        (Response(NAN.encode()), "BadReply", "not all of them numbers", 1),
        (scores(1, 2, 3, data=[1, 10**400, 2]), "BadReply", "not all of them numbers", 1),
        (
            Response(b'{"outputs": [{"name": "scores", "data": ' + b"[" * 600 + b"]" * 600 + b"}]}"),
            "BadReply",
            "1 values",
            1,
        ),
        (scores(1, 2, 3, shape=[-1, -3]), "BadReply", "of shape [-1, -3]", 1),
        (scores(1, 2, 3, shape="\x1b[31m\n" + "x" * 10**6), "BadReply", "of shape \\x1b[31m xxx", 1),
        (scores(1, 2, 3, data=[True, False, True]), "BadReply", "not all of them numbers", 1),
    ],
)
def test_invalid_reply_is_reported(response: Response, kind: str, message: str, requests: int) -> None:
    with serving(oip(in_turn(response))) as server:
        classifier = model(server)
        with pytest.raises(SampleError) as caught:
            classifier.predict([PIXELS])
    assert (caught.value.kind, len(server.posts)) == (kind, requests)
    assert message in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": []}, "has no input"),
        ({"outputs": None}, "has no output"),
        ({"inputs": [{"name": "x"}]}, "has no input"),
        ({"inputs": 3}, "has no input"),
        ({"datatype": "BOOL"}, "not a square image with three channels"),
        ({"shape": [1, 10]}, "not a square image"),
        ({"shape": [1, 1, 28, 28]}, "not a square image"),
        ({"shape": [1, 3, 224, 100]}, "not a square image"),
        ({"shape": [1, 3, 0, 0]}, "not a square image"),
        ({"shape": [1, 3, 10**6, 10**6]}, "not a square image"),
        ({"classes": 10**9}, "classes"),
        ({"classes": 1}, "its output has 1 class, and a classifier has 2 classes or more"),
        ({"outputs": [{"name": "s", "datatype": "BYTES", "shape": [1]}]}, "has texts, not numbers"),
    ],
)
def test_model_without_images_and_scores_is_rejected(changes: dict[str, Any], message: str) -> None:
    with serving(oip(in_turn(GOOD), **changes)) as server, pytest.raises(SetupError, match=message):
        model(server)


def test_missing_model_is_a_setup_error() -> None:
    response = Response({"error": "Model m not found"}, 404)
    with serving(in_turn(response)) as server, pytest.raises(SetupError, match="answered 404: Model m not found"):
        model(server)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("oip+", "write oip"),
        ("oip+ftp://x/v2/models/m", "write oip"),
        ("oip+http://x/v1/models/m", "write oip"),
        ("oip+http://x/v2/models/", "write oip"),
        ("oip+http://x/v2/models/m/infer", "write oip"),
        ("oip+http://x/v2/models/m#a", "write oip"),
        ("oip+http:///v2/models/m", "write oip"),
        ("oip+http://x:y@z/v2/models/m", "remove user name and password"),
        ("oip+http://x/v2/models/m?maen=1", r"unknown option 'maen' \(did you mean mean\?\): choose mean, std"),
        ("oip+http://x:1/v2/models/m?mean=1,2", "three numbers"),
        ("oip+http://x:1/v2/models/m?std=1,0,1", "above 0"),
        ("oip+http://x:1/v2/models/m?std=a,b,c", "three numbers"),
        ("oip+http://x:1/v2/models/m?size=-3", "expected a number of pixels from 1 to 4096"),
        ("oip+http://x:1/v2/models/m?size=9999", "expected a number of pixels from 1 to 4096"),
        ("oip+http://x:1/v2/models/m?resize=x", "expected a number of pixels"),
    ],
)
def test_malformed_name_is_rejected_without_any_request(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(name, device="cpu", timeout=1)


def test_inapplicable_options_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="endpoint applies to clarifai:MODEL only"):
        load("oip+http://x/v2/models/m", endpoint="http://y")
    with pytest.raises(UsageError, match="weights apply to local models only"):
        load("oip+http://x/v2/models/m", weights=tmp_path)
    with pytest.raises(UsageError, match="endpoint applies to clarifai:MODEL only"):
        load("resnet18", endpoint="http://y")


def test_unreachable_server_is_reported_on_one_line(sh: Run, dog: Path) -> None:
    ran = sh(f"dp-classify --model oip+http://localhost:1/v2/models/m {dog}")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (3, "", 1)
    assert "localhost:1 cannot be reached" in ran.stderr
    ran = sh(f"dp-classify --model oip+http://localhost:1/v2/models {dog}")
    assert (ran.returncode, ran.stdout) == (2, "")
