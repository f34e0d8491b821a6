"""Classifiers that users bring: class names, weights, preprocessing and fingerprints."""

import json
import random
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from classifiers.own_models import NAMES, write_mine, write_onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torchvision import models
from torchvision.ops import StochasticDepth

from dptools.classifiers import Classes, Geometry, load, read_classes
from dptools.classifiers.local.hidden_modules import check_registered
from dptools.classifiers.local.onnx_file import OnnxNetwork
from dptools.classifiers.local.weights import read
from dptools.errors import SampleError, SetupError, UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory, which holds ``mine.py``, ``mine.pth`` and ``names.txt``."""
    monkeypatch.chdir(tmp_path)
    write_mine(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(NAMES) + "\n\n",
        "\ufeff" + "\r\n".join(NAMES),
        json.dumps(NAMES),
        json.dumps({str(index): name for index, name in enumerate(NAMES)}),
        json.dumps({name: index for index, name in reversed(list(enumerate(NAMES)))}),
    ],
)
def test_classes_are_read_from_lines_and_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "names").write_text(text)
    assert read_classes(tmp_path / "names") == Classes((), NAMES)


def test_classes_may_have_wordnet_ids(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text('{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}')
    classes = read_classes(tmp_path / "names.json")
    assert classes.index("n01443537") == classes.index("goldfish") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat\n\ndog", "class 1 has no name"),
        (b"cat", "gives 1 names"),
        (b"[1, 2]", "class 0 has no name: 1"),
        (b"[", "not valid JSON"),
        (b'{"0": "cat", "2": "dog"}', "each index from 0 to 1 once"),
        (b'{"a": 0, "b": 0, "c": 1}', "each index from 0 to 2 once"),
        (b'{"0": "cat", "00": "dog"}', "each index from 0 to 1 once"),
        (b'{"cat": "dog"}', "from index to name or from name to index"),
        (b"\xff\xfe", "not a text file"),
    ],
)
def test_malformed_classes_are_reported(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_classes(tmp_path / "names")


def test_a_name_that_is_a_number_counts_before_an_index() -> None:
    digits = Classes((), ("1", "0"))
    assert (digits.index("1"), digits.index(1)) == (0, 1)


def test_weights_with_another_number_of_classes_rebuild_the_last_layer(tmp_path: Path) -> None:
    state = models.resnet18(num_classes=7).state_dict()
    save_file(state, tmp_path / "seven.safetensors")
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "c.pth")
    images = torch.rand(1, 3, 64, 64)
    first, second = (load("resnet18", tmp_path / name, "cpu", size=64) for name in ("seven.safetensors", "c.pth"))
    assert len(first.classes) == 7
    assert torch.equal(first(images), second(images))
    assert first.geometry.resize == 73
    squeezed = models.squeezenet1_1(num_classes=5).state_dict()
    torch.save(squeezed, tmp_path / "five.pth")
    assert len(load("squeezenet1_1", tmp_path / "five.pth", "cpu").classes) == 5


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_prefixes_of_wrapped_models_are_removed(tmp_path: Path, prefix: str) -> None:
    for own in ("", "module."):
        torch.save({f"{prefix}{own}fc.{name}": torch.ones(2) for name in ("weight", "bias")}, tmp_path / "w.pth")
        expected = own if "module." in prefix else ""
        assert list(read(tmp_path / "w.pth")) == [f"{expected}fc.weight", f"{expected}fc.bias"]


@pytest.mark.skipif(not find_spec("timm"), reason="timm is not installed")
def test_timm_gives_the_network_and_the_preprocessing(tmp_path: Path) -> None:
    import timm

    network = timm.create_model("resnet10t", num_classes=7).eval()
    torch.save(network.state_dict(), tmp_path / "seven.pth")
    classifier = load("timm:resnet10t", tmp_path / "seven.pth", "cpu")
    config = timm.data.resolve_model_data_config(network)
    assert classifier.geometry.crop == config["input_size"][-1]
    images = torch.rand(1, 3, 64, 64)
    normalise = [torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("mean", "std")]
    expected = network((images - normalise[0]) / normalise[1])
    assert torch.allclose(classifier(images), expected, atol=1e-5)
    assert load("timm:resnet10t", tmp_path / "seven.pth", "cpu", size=32).geometry.crop == 32
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=7, img_size=32)
    torch.save(vit.state_dict(), tmp_path / "vit.pth")
    assert len(load("timm:vit_tiny_patch16_224", tmp_path / "vit.pth", "cpu", size=32).classes) == 7


@pytest.mark.skipif(not find_spec("timm"), reason="timm is not installed")
def test_timm_models_without_classes_are_refused_and_may_get_some(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    create = timm.create_model
    Path("features.py").write_text("import timm\nnet = timm.create_model('resnet10t', num_classes=0)\n")
    with pytest.raises(UsageError, match=r"features\.py:net has no classes and returns features"):
        load("features.py:net", device="cpu", size=32)
    torch.save(create("eva02_tiny_patch14_224", num_classes=7).state_dict(), "seven.pth")
    assert len(load("timm:eva02_tiny_patch14_224", Path("seven.pth"), "cpu").classes) == 7
    monkeypatch.setattr(timm, "create_model", lambda name, **_: create(name))  # without a download
    with pytest.raises(UsageError, match="timm:eva02_tiny_patch14_224 has no classes and returns features"):
        load("timm:eva02_tiny_patch14_224", device="cpu")


def test_a_list_of_layers_that_torch_knows_is_accepted(here: Path) -> None:
    assert len(load("mine.py:known", device="cpu", size=32).classes) == 7


class Hides(nn.Module):
    """A network that keeps something in an attribute that PyTorch does not look into."""

    def __init__(self, hidden: object) -> None:
        super().__init__()
        self.body = nn.Linear(3, 2)
        self.hidden = hidden


class DropPath(nn.Module):
    """A layer without parameters that is random in training mode."""


@pytest.mark.parametrize("hidden", [[nn.ReLU(), nn.GELU()], {"act": nn.Sequential(nn.ReLU(), nn.Flatten())}])
def test_hidden_layers_without_state_are_accepted(hidden: object) -> None:
    network = Hides(hidden)
    network.register_forward_hook(nn.Linear(2, 2))
    check_registered(network, "net")


@pytest.mark.parametrize(
    "part",
    [nn.Linear(2, 2), nn.Dropout2d(), nn.Sequential(nn.Identity(), nn.BatchNorm2d(3, affine=False)), nn.RReLU(),
     nn.BatchNorm1d(3, affine=False, track_running_stats=False), DropPath(), nn.Parameter(torch.zeros(1))],
    ids=lambda part: type(part).__name__,
)  # fmt: skip
def test_hidden_layers_that_eval_must_reach_are_refused(part: nn.Module | nn.Parameter) -> None:
    with pytest.raises(UsageError, match=r"net: Hides\.hidden is a plain list"):
        check_registered(Hides([part]), "net")


def test_a_network_can_state_its_preprocessing_and_the_user_can_change_it(here: Path) -> None:
    classifier = load("mine.py:described", device="cpu")
    assert classifier.geometry == Geometry(32, 32)
    assert classifier.mean.flatten().tolist() == [0.5] * 3
    changed = load("mine.py:described", device="cpu", resize=36, std=(1.0, 1.0, 1.0))
    assert changed.geometry == Geometry(36, 32)
    assert changed.params == {
        "model": "mine.py:described", "weights": classifier.weights, "resize": 36, "std": (1.0, 1.0, 1.0)
    }  # fmt: skip
    with pytest.raises(UsageError, match="smaller than the input"):
        load("mine.py:described", device="cpu", resize=20)


def test_probabilities_become_logits(here: Path) -> None:
    images = torch.rand(2, 3, 32, 32)
    logits, logarithms = (load(f"mine.py:{name}", device="cpu", size=32)(images) for name in ("network", "softmax"))
    assert torch.allclose(logits.softmax(1), logarithms.softmax(1), atol=1e-5)


def test_random_weights_are_the_same_in_every_process(here: Path) -> None:
    first = load("mine.py:network", device="cpu", size=32)
    torch.rand(5)
    assert load("mine.py:network", device="cpu", size=32).weights == first.weights


@pytest.mark.parametrize("numbers", ["numpy.random.rand(7)", "[random.random() for _ in range(7)]"])
def test_random_weights_of_other_generators_are_the_same_in_every_process(here: Path, numbers: str) -> None:
    (here / "other.py").write_text(
        "import random, numpy, torch\nfrom mine import network as plain\n\ndef network():\n"
        f"    net = plain()\n    net.fc.bias.data = torch.tensor({numbers}).float()\n    return net\n"
    )
    states = random.getstate(), str(np.random.get_state())
    first = load("other.py:network", device="cpu", size=32)
    assert (random.getstate(), str(np.random.get_state())) == states
    random.random(), np.random.rand()
    assert load("other.py:network", device="cpu", size=32).weights == first.weights


def test_the_fingerprint_covers_code_and_weights(here: Path) -> None:
    def weights() -> str:
        return load("mine.py:network", Path("mine.pth"), "cpu", size=32).weights

    before = weights()
    assert weights() == before
    code = Path("mine.py").read_text()
    Path("mine.py").write_text(code.replace("20 *", "21 *"))
    assert weights() != before
    Path("mine.py").write_text(code)
    state = torch.load("mine.pth")
    state["fc.bias"] += 1
    torch.save(state, "mine.pth")
    assert weights() != before


def test_onnx_weights_in_another_file_belong_to_the_fingerprint(here: Path) -> None:
    network = write_mine(here)
    write_onnx(here / "big.onnx", network, external=True)
    graph = (here / "big.onnx").read_bytes()
    before = load("big.onnx", device="cpu").weights
    nn.init.zeros_(network.fc.bias)
    write_onnx(here / "big.onnx", network, external=True)
    assert (here / "big.onnx").read_bytes() == graph
    assert load("big.onnx", device="cpu").weights != before


@pytest.mark.parametrize("batch", [1, 2, "batch"])
def test_onnx_accepts_any_number_of_images_but_gives_no_gradient(here: Path, batch: int | str) -> None:
    network = write_mine(here)
    write_onnx(here / "net.onnx", network, batch)
    images = torch.rand(3, 3, 32, 32, requires_grad=True)
    scores = load("net.onnx", device="cpu")(images)
    assert torch.allclose(scores, network(images), atol=1e-4)
    with pytest.raises(SampleError, match=r"net\.onnx gives no gradients"):
        scores.sum().backward()


def test_a_program_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.pt2", "w") as archive:
        archive.writestr("evil/archive_format", "pt2")
        archive.writestr("evil/data/constants/opaque_obj_0", b"cos\nsystem\n(S'touch gone'\ntR.")
    with pytest.raises(SetupError, match="opaque_obj_0, which could run code"):
        load(str(tmp_path / "evil.pt2"), device="cpu")


def test_modules_beside_the_file_can_be_imported_and_do_not_shadow_others_later(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr("sys.path", list(sys.path))
    (here / "sub").mkdir()
    (here / "sub" / "part.py").write_text("def network():\n    import mine\n    return mine.network()\n")
    (here / "sub" / "mine.py").write_text((here / "mine.py").read_text())
    (here / "sub" / "top.py").write_text("from part import network\n")
    assert len(load("sub/top.py:network", device="cpu", size=32).classes) == 7
    assert sys.path.index(str(here / "sub")) >= len(sys.path) - 2
    assert not {"part", "mine"} & set(sys.modules)


def test_models_may_have_modules_of_the_same_name(tmp_path: Path) -> None:
    classifiers = []
    for folder, sign in (("a", 1), ("b", -1)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "layers.py").write_text(f"from settings import SIGN\nscale = SIGN * {abs(sign)}\n")
        (tmp_path / folder / "settings.py").write_text(f"SIGN = {sign}\n")
        (tmp_path / folder / "net.py").write_text(
            "import torch\nfrom layers import scale\ntorch.set_grad_enabled(False)\n"
            "class Net(torch.nn.Module):\n    def forward(self, x):\n        return scale * x.mean((2, 3))\n"
            "def network():\n    return Net()\n"
        )
        classifiers.append(load(str(tmp_path / folder / "net.py:network"), device="cpu", size=8))
    assert torch.is_grad_enabled()
    images = torch.rand(1, 3, 8, 8)
    first, second = (classifier(images) for classifier in classifiers)
    assert torch.equal(first, -second)
    assert classifiers[0].weights != classifiers[1].weights
    (tmp_path / "a/settings.py").write_text("SIGN = 2\n")  # only a number is imported from there
    assert load(str(tmp_path / "a/net.py:network"), device="cpu", size=8).weights != classifiers[0].weights


def test_a_network_of_the_module_has_the_same_random_weights_every_time(tmp_path: Path) -> None:
    layers = "torch.nn.Flatten(), torch.nn.Linear(192, 3)"
    (tmp_path / "made.py").write_text(f"import torch\nnet = torch.nn.Sequential({layers})\n")
    first, second = (load(str(tmp_path / "made.py:net"), device="cpu", size=8).weights for _ in range(2))
    assert first == second


def test_scores_that_are_not_finite_name_no_class(tmp_path: Path) -> None:
    (tmp_path / "nan.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        return x.mean((2, 3)).log().where(x.mean() > 0.1, torch.nan)\n"
        "def network():\n    return Net()\n"
    )
    classifier = load(str(tmp_path / "nan.py:network"), device="cpu", size=8)
    with pytest.raises(SampleError, match=r"nan\.py:network returned scores that are not finite"):
        classifier.predict([np.zeros((8, 8, 3), np.uint8)])


def test_a_program_exported_in_training_mode_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for name, mode in (("train", network.train()), ("eval", network.eval())):
        mode.train(name == "train")
        program = torch.export.export(mode, (torch.rand(2, 3, 16, 16),))
        torch.export.save(program, tmp_path / f"{name}.pt2")
    with pytest.raises(UsageError, match="exported in training mode: call eval"):
        load(str(tmp_path / "train.pt2"), device="cpu")
    assert load(str(tmp_path / "eval.pt2"), device="cpu").geometry.crop == 16


def test_two_runs_show_that_an_onnx_file_was_exported_in_training_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[torch.Tensor] = []
    run = OnnxNetwork._run
    monkeypatch.setattr(OnnxNetwork, "_run", lambda network, images: runs.append(images) or run(network, images))
    nodes = [
        helper.make_node("Flatten", ["images"], ["features"]),
        helper.make_node("Dropout", ["features", "ratio", "training"], ["scores"]),
    ]
    images, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("images", ["batch", 3, 16, 16]), ("scores", ["batch", 768]))
    )
    constants = [numpy_helper.from_array(np.array(0.5, np.float32), "ratio")]
    for name in ("train", "eval"):
        mode = numpy_helper.from_array(np.array(name == "train"), "training")
        graph = helper.make_graph(nodes, "net", [images], [scores], [*constants, mode])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, tmp_path / f"{name}.onnx")
    with pytest.raises(UsageError, match=r"train\.onnx: exported in training mode"):
        load(str(tmp_path / "train.onnx"), device="cpu")
    assert load(str(tmp_path / "eval.onnx"), device="cpu").geometry.crop == 16
    assert len(runs) == 4


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2)
        return scaled_dot_product_attention(rows, rows, rows, dropout_p=0.5 * self.training).reshape(x.shape)


@pytest.mark.parametrize("layer", [StochasticDepth(0.5, "row"), Attention()])
def test_a_program_with_a_random_layer_without_an_argument_for_training_is_refused(
    tmp_path: Path, layer: nn.Module
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    torch.export.save(torch.export.export(network.train(), (torch.rand(2, 3, 16, 16),)), tmp_path / "train.pt2")
    torch.export.save(torch.export.export(network.eval(), (torch.rand(2, 3, 16, 16),)), tmp_path / "eval.pt2")
    with pytest.raises(UsageError, match="exported in training mode: call eval"):
        load(str(tmp_path / "train.pt2"), device="cpu")
    assert load(str(tmp_path / "eval.pt2"), device="cpu").geometry.crop == 16


def test_names_may_differ_in_case_only() -> None:
    classes = Classes((), ("a", "A", "Bee"))
    assert [classes.index(name) for name in ("a", "A", "bee")] == [0, 1, 2]


def test_a_name_that_begins_like_a_bundled_one_can_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="No such file"):
        load("efficientnet-lite9.onnx", device="cpu")


def test_a_squashed_image_keeps_its_whole_content() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, :5] = 255
    assert Geometry(8, 8, squash=True)(wide)[:, 0].min() > 200
    assert Geometry(8, 8)(wide).max() == 0
