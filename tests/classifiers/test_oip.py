"""The Open Inference Protocol: what goes into its tensors, what is read from them, and what is refused."""

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
from servers import Asked, Says, Server, in_turn, protocol, scores, serving

from dptools.classifiers import Classifier, load
from dptools.classifiers.services import service as module
from dptools.errors import SampleError, SetupError, UsageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (224, 224, 3), dtype=np.uint8)
GOOD = scores(0.1, 2.0, 1.0)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_backoff", tenacity.wait_none())


def model(server: Server, query: str = "", path: str = "/v2/models/m") -> Classifier:
    return load(f"oip+{server.url}{path}{query}", device="cpu", timeout=5)


def tensor(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.posts[-1].body["inputs"][0]
    return found


def test_a_tensor_goes_in_and_probabilities_come_out() -> None:
    with serving(protocol(in_turn(GOOD))) as server:
        classifier = model(server)
        (answer,) = classifier.answers([PIXELS])
    assert [each.path for each in server.asked] == ["/v2/models/m", "/v2/models/m/infer"]
    assert answer.top(2) == [{"index": 1, "name": "class 1", "p": 0.659}, {"index": 2, "name": "class 2", "p": 0.2424}]
    assert (classifier.name, classifier.weights) == (f"oip+{server.url}/v2/models/m", "version 7")
    sent = tensor(server)
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("image", "FP32", [1, 3, 224, 224])
    values = np.array(sent["data"]).reshape(3, 224, 224)
    assert np.abs(values - PIXELS.transpose(2, 0, 1) / 255).max() < 1e-7
    assert server.posts[0].body["outputs"] == [{"name": "scores"}]


def test_mean_and_deviation_are_the_models() -> None:
    with serving(protocol(in_turn(GOOD))) as server:
        model(server, "?mean=.485,.456,.406&std=.229,.224,.225").answers([PIXELS])
    values = np.array(tensor(server)["data"]).reshape(3, 224, 224)
    wanted = (PIXELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(values - wanted.transpose(2, 0, 1)).max() < 1e-5


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
def test_tensors_of_any_layout(datatype: str, shape: Sequence[int], sent: list[int], scale: float) -> None:
    with serving(protocol(in_turn(GOOD), datatype=datatype, shape=shape)) as server:
        model(server).answers([PIXELS])
    assert tensor(server)["shape"] == sent
    values = np.array(tensor(server)["data"]).reshape(sent[-3:])
    values = values if sent[-1] == 3 else values.transpose(1, 2, 0)
    assert np.abs(values - PIXELS * scale).max() < 1e-6


def test_files_go_whole_as_base64() -> None:
    pixels = RNG.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    with serving(protocol(in_turn(GOOD), datatype="BYTES", shape=[-1])) as server:
        model(server).answers([pixels])
    (text,) = tensor(server)["data"]
    assert tensor(server)["shape"] == [1]
    assert tensor(server)["parameters"] == {"content_type": "base64"}
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))), pixels)


@pytest.mark.parametrize(("query", "side"), [("?size=96", 96), ("?size=96&resize=96", 96), ("", 224)])
def test_images_are_brought_to_a_size(query: str, side: int) -> None:
    with serving(protocol(in_turn(GOOD), shape=(-1, 3, -1, -1))) as server:
        model(server, query).answers([RNG.integers(0, 256, (300, 200, 3), dtype=np.uint8)])
    assert tensor(server)["shape"] == [1, 3, side, side]


@pytest.mark.parametrize(
    "data",
    [[0.7, 0.2, 0.1], [[0.7, 0.2, 0.1]], [[[0.7], [0.2], [0.1]]]],
)
def test_probabilities_flat_or_nested_are_taken_as_they_are(data: object) -> None:
    with serving(protocol(in_turn(scores(0, 0, 0, data=data)))) as server:
        (answer,) = model(server).answers([PIXELS])
    assert [each["p"] for each in answer.top(3)] == pytest.approx([0.7, 0.2, 0.1], abs=1e-4)


def test_how_many_classes_there_are_may_be_left_open_and_is_found_out() -> None:
    with serving(
        protocol(in_turn(GOOD), outputs=[{"name": "scores", "datatype": "FP32", "shape": [-1, -1]}])
    ) as server:
        assert len(model(server).classes) == 3
        assert len(server.posts) == 1


@pytest.mark.parametrize("shape", [[-1, 3, 1, 1], [3], [1, 1, 3], [-1, 3]])
def test_sides_of_one_around_the_classes_are_no_matter(shape: list[int]) -> None:
    described = [{"name": "scores", "datatype": "FP32", "shape": shape}]
    said = scores(1, 2, 3, shape=[1 if side < 0 else side for side in shape])
    with serving(protocol(in_turn(said), outputs=described)) as server:
        (answer,) = model(server).answers([PIXELS])
    assert answer.rank(2) == 1


@pytest.mark.parametrize(("datatype", "shape"), [("UINT8", (1, 3, 224, 224)), ("BYTES", (1,))])
def test_nothing_can_be_taken_off_8_bit_values(datatype: str, shape: tuple[int, ...]) -> None:
    with serving(protocol(in_turn(GOOD), datatype=datatype, shape=shape)) as server:
        with pytest.raises(UsageError, match=f"its input is {datatype}, of which no mean and std"):
            model(server, "?mean=.485,.456,.406")
        model(server, "?mean=0,0,0")


@pytest.mark.parametrize(
    ("versions", "said"), [(7, "unknown"), ("12", "unknown"), ([], "unknown"), (["1", "2"], "1/2")]
)
def test_versions_are_a_list_or_unknown(versions: object, said: str) -> None:
    with serving(protocol(in_turn(GOOD), versions=versions)) as server:
        assert model(server).weights == f"version {said}"


def test_a_token_that_is_a_common_word_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIP_TOKEN", "out")
    with serving(protocol(in_turn(GOOD))) as server:
        (answer,) = model(server).answers([PIXELS])
    assert answer.rank(1) == 1


def test_an_attack_asks_about_no_image_again_because_another_failed(sh: Run, tmp_path: Path) -> None:
    """Each body is another image: the clean one, and those with noise."""
    for number in range(4):
        Image.fromarray(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    refused: list[str] = []

    def answer(asked: Asked) -> Says:
        body = json.dumps(asked.body)
        with server.lock:
            refused[1:1] = [] if refused else [body]
        return Says({"error": "no"}, 400) if body == refused[0] else scores(2.0, 1.0, 0.0)

    with serving(protocol(answer, shape=(-1, 3, 16, 16))) as server:
        name = f"oip+{server.url}/v2/models/m"
        sh(f"dp-attack -a spn --set steps=3 --model {name} --batch-size 4 -j 1 --label 0 [0-3].png -o adv")
    bodies = [json.dumps(each.body) for each in server.posts]
    assert bodies.count(refused[0]) == 1
    clean = bodies[0]
    assert bodies.count(clean) == 1


def test_one_of_several_tensors_is_named() -> None:
    image = {"name": "a", "datatype": "FP32", "shape": [1, 3, 8, 8]}
    described = {"inputs": [{**image, "name": "b"}, image], "outputs": [{**image, "name": "x", "shape": [1, 3]}]}
    with serving(protocol(in_turn(scores(1, 2, 3, name="x")), **described)) as server:
        with pytest.raises(UsageError, match=r"several inputs: add \?input=NAME, one of b, a"):
            model(server)
        with pytest.raises(UsageError, match="unknown input 'c': choose b, a"):
            model(server, "?input=c")
        model(server, "?input=a&output=x").answers([PIXELS])
    assert tensor(server)["name"] == "a"


def test_a_token_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIP_TOKEN", "abc.def")
    with serving(protocol(in_turn(GOOD))) as server:
        model(server, path="/v2/models/m/versions/7")
    assert server.asked[0].headers["Authorization"] == "Bearer abc.def"
    assert server.asked[0].path == "/v2/models/m/versions/7"


def test_there_are_no_gradients_and_it_is_said() -> None:
    with serving(protocol(in_turn(GOOD))) as server:
        classifier = model(server)
        images = torch.rand(2, 3, 224, 224, requires_grad=True)
        found = classifier(images)
        assert found.shape == (2, 3)
        with pytest.raises(SampleError, match="gives no gradients") as caught:
            found.sum().backward()
    assert caught.value.kind == "NoGradient"


NAN = json.dumps({"outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 3], "data": [1, float("nan"), 2]}]})


@pytest.mark.parametrize(
    ("says", "kind", "message", "requests"),
    [
        (Says({"error": "out\nof memory"}, 500), "ServiceError", "answered 500: out of memory", 5),
        (Says({"error": "shape mismatch"}, 400), "ServiceError", "answered 400: shape mismatch", 1),
        (Says({"detail": ["x"]}, 422), "ServiceError", "answered 422", 1),
        (Says(b"<html>", 404), "ServiceError", "answered 404", 1),
        (Says(b"<html>"), "BadReply", "not the protocol's JSON", 1),
        (Says([]), "BadReply", "not the protocol's JSON", 1),
        (Says(GOOD.body[:50]), "BadReply", "not the protocol's JSON", 1),
        (Says(GOOD.body, manner="cut"), "ServiceBroken", "broke the connection off", 5),
        (Says({}), "BadReply", "without output 'scores'", 1),
        (Says({"outputs": 3}), "BadReply", "without output 'scores'", 1),
        (Says({"outputs": [{"name": "other"}]}), "BadReply", "without output 'scores'", 1),
        (scores(1, 2), "BadReply", "of shape [1, 2] and 2 values, where there are 3 classes", 1),
        (scores(*range(6)), "BadReply", "6 values, where there are 3 classes", 1),
        (scores(), "BadReply", "0 values", 1),
        (scores(1, 2, 3, shape=[1, 4]), "BadReply", "of shape [1, 4] and 3 values", 1),
        (scores(1, 2, 3, shape="x"), "BadReply", "shape x", 1),
        (scores(1, 2, 3, data=["1", "2", "3"]), "BadReply", "not all of them numbers", 1),
        (scores(1, 2, 3, data=None), "BadReply", "1 values", 1),
        (scores(1, 2, 3, data={"a": 1}), "BadReply", "1 values", 1),
        (Says(NAN.encode()), "BadReply", "not all of them numbers", 1),
        (scores(1, 2, 3, data=[1, 10**400, 2]), "BadReply", "not all of them numbers", 1),
        (
            Says(b'{"outputs": [{"name": "scores", "data": ' + b"[" * 600 + b"]" * 600 + b"}]}"),
            "BadReply",
            "1 values",
            1,
        ),
        (scores(1, 2, 3, shape=[-1, -3]), "BadReply", "of shape [-1, -3]", 1),
        (scores(1, 2, 3, shape="\x1b[31m\n" + "x" * 10**6), "BadReply", "of shape \\x1b[31m xxx", 1),
        (scores(1, 2, 3, data=[True, False, True]), "BadReply", "not all of them numbers", 1),
    ],
)
def test_each_wrong_answer_is_told(says: Says, kind: str, message: str, requests: int) -> None:
    with serving(protocol(in_turn(says))) as server:
        classifier = model(server)
        with pytest.raises(SampleError) as caught:
            classifier.answers([PIXELS])
    assert (caught.value.kind, len(server.posts)) == (kind, requests)
    assert message in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": []}, "describes no input"),
        ({"outputs": None}, "describes no output"),
        ({"inputs": [{"name": "x"}]}, "describes no input"),
        ({"inputs": 3}, "describes no input"),
        ({"datatype": "BOOL"}, "no image of three colours and a square"),
        ({"shape": [1, 10]}, "no image of three colours"),
        ({"shape": [1, 1, 28, 28]}, "no image of three colours"),
        ({"shape": [1, 3, 224, 100]}, "no image of three colours"),
        ({"shape": [1, 3, 0, 0]}, "no image of three colours"),
        ({"shape": [1, 3, 10**6, 10**6]}, "no image of three colours"),
        ({"classes": 10**9}, "classes"),
        ({"outputs": [{"name": "s", "datatype": "BYTES", "shape": [1]}]}, "holds texts"),
    ],
)
def test_a_model_that_takes_no_images_is_refused(changes: dict[str, Any], message: str) -> None:
    with serving(protocol(in_turn(GOOD), **changes)) as server, pytest.raises(SetupError, match=message):
        model(server)


def test_a_model_that_is_not_there_is_refused() -> None:
    says = Says({"error": "Model m not found"}, 404)
    with serving(in_turn(says)) as server, pytest.raises(SetupError, match="answered 404: Model m not found"):
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
        ("oip+http://x:y@z/v2/models/m", "no name and password"),
        ("oip+http://x/v2/models/m?maen=1", "unknown option 'maen': choose mean, std"),
        ("oip+http://x:1/v2/models/m?mean=1,2", "three numbers"),
        ("oip+http://x:1/v2/models/m?std=1,0,1", "above 0"),
        ("oip+http://x:1/v2/models/m?std=a,b,c", "three numbers"),
        ("oip+http://x:1/v2/models/m?size=-3", "give pixels, from 1 to 4096"),
        ("oip+http://x:1/v2/models/m?size=9999", "give pixels, from 1 to 4096"),
        ("oip+http://x:1/v2/models/m?resize=x", "give pixels"),
    ],
)
def test_what_names_no_model_is_refused_before_anyone_is_asked(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(name, device="cpu", timeout=1)


def test_options_for_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--endpoint"):
        load("oip+http://x/v2/models/m", endpoint="http://y")
    with pytest.raises(UsageError, match="--weights"):
        load("oip+http://x/v2/models/m", weights=tmp_path)
    with pytest.raises(UsageError, match="--endpoint"):
        load("resnet18", endpoint="http://y")


def test_the_tool_tells_a_wrong_address_on_one_line(sh: Run, dog: Path) -> None:
    ran = sh(f"dp-classify --model oip+http://localhost:1/v2/models/m {dog}")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (3, "", 1)
    assert "localhost:1 cannot be reached" in ran.stderr
    ran = sh(f"dp-classify --model oip+http://localhost:1/v2/models {dog}")
    assert (ran.returncode, ran.stdout) == (2, "")
