"""Training of the denoiser: from photographs and synthetic images, and with less noise at its end."""

import io
import random
import subprocess
import weakref
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.modules.module import register_module_forward_hook
from trainings import new_run

from dptools.classifiers import load
from dptools.purifiers.denoiser import pretrained
from dptools.purifiers.denoiser.training import quantise
from dptools.purifiers.denoiser.training.collect import _crop, _extracted, _open
from dptools.purifiers.denoiser.training.dead_leaves import dead_leaves
from dptools.purifiers.denoiser.training.features import MAX_LINF, Critics
from dptools.purifiers.denoiser.training.images import TILE, patches, read_tiles
from dptools.purifiers.denoiser.training.loop import Objective, Schedule, Synthetic, train
from dptools.purifiers.denoiser.training.noise import NOISES, Noise, corrupt, none
from dptools.purifiers.denoiser.training.validation import validate


def test_photographs_are_cut_into_tiles_at_several_scales(photographs: Path) -> None:
    tiles = read_tiles(photographs)
    assert tiles.shape[1:] == (3, TILE, TILE)
    assert tiles.dtype == torch.uint8
    assert len(tiles) > 6
    found = patches(tiles, 9, 64)
    assert found.shape == (9, 3, 64, 64)
    assert -0.01 <= found.min() <= found.max() <= 1.01


def test_a_folder_without_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photograph of 256 pixels or more a side"):
        read_tiles(tmp_path)


def test_synthetic_images_cover_the_canvas_and_differ() -> None:
    torch.manual_seed(0)
    first, second = (dead_leaves(2, 64, torch.device("cpu"), leaves=80) for _ in range(2))
    assert first.shape == (2, 3, 64, 64)
    assert first.dtype == torch.uint8
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert all(len(image.flatten(1).unique(dim=1).T) > 50 for image in first)


@pytest.mark.parametrize("kind", NOISES)
def test_each_kind_of_noise_changes_the_image(kind: Noise) -> None:
    torch.manual_seed(0)
    images = torch.full((3, 3, 64, 64), 0.5)
    noisy = kind(images)
    assert noisy.shape == images.shape
    assert torch.equal(noisy, images) == (kind is none)


def test_the_seeds_decide_the_noise() -> None:
    def draw() -> torch.Tensor:
        torch.manual_seed(3)
        return corrupt(torch.full((20, 3, 16, 16), 0.5), random.Random(3))

    assert torch.equal(draw(), draw())


def test_training_reduces_the_loss() -> None:
    run, pool = new_run(), Synthetic(4, torch.device("cpu"), 1)
    settings = {"batch": 4, "side": 48, "share": 1.0, "report_every": 15, "renew_every": 1000}
    losses = list(train(run, None, pool, Schedule(60, warm_up=5), **settings))  # type: ignore[arg-type]
    assert len(losses) == 4
    assert losses[-1] < losses[0] - 0.005
    assert (run.progress.iteration, run.progress.patches) == (60, 240)


@pytest.fixture(scope="module")
def critics() -> Critics:
    return Critics(["efficientnet-lite1"], torch.device("cpu"), random.Random(0))


def test_the_features_of_critics_measure_the_error(critics: Critics) -> None:
    clean, noise = torch.rand(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
    distances = [float(critics.errors(clean + level / 255 * noise, clean)[0]) for level in (0, 4, 16)]
    assert distances[0] == pytest.approx(0, abs=1e-4)
    assert 0 < distances[1] < distances[2]
    output = (clean + 0.01 * noise).requires_grad_()
    sum(critics.errors(output, clean)).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad.abs().sum() > 0


def test_critics_keep_no_features_in_memory(critics: Critics) -> None:
    outputs: list[weakref.ref[Tensor]] = []

    def seen(_layer: object, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(weakref.ref(output))

    hook = register_module_forward_hook(seen)
    critics.errors(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))
    critics.perturb(torch.rand(1, 3, 64, 64))
    hook.remove()
    assert outputs
    assert not any(output() is not None for output in outputs)


def test_perturbations_of_critics_are_small_and_change_the_class(critics: Critics) -> None:
    torch.manual_seed(0)
    images = dead_leaves(8, 128, torch.device("cpu")).float() / 255
    classifier = load("efficientnet-lite1")
    changed = []
    for _ in range(4):
        perturbed = critics.perturb(images)
        change = perturbed - images
        assert change.square().mean((1, 2, 3)).sqrt().max() <= MAX_LINF / 255
        assert perturbed.min() >= 0
        assert perturbed.max() <= 1
        changed.append(classifier(perturbed).argmax(1) != classifier(images).argmax(1))
    assert torch.cat(changed).float().mean() > 0.6


def test_training_with_critics_reduces_their_distance(critics: Critics) -> None:
    run = new_run()
    pool = Synthetic(4, torch.device("cpu"), 1)
    objective = Objective(critics, feature_weight=1.0, adversarial=2.0)
    losses = list(
        train(run, None, pool, Schedule(16, warm_up=1), batch=4, side=64, report_every=4, objective=objective)
    )
    assert losses[-1] < losses[0]


def test_training_for_smoothing_adds_gaussian_noise_only_and_does_not_clip_it() -> None:
    objective = Objective(gaussian=100)
    noise = objective.corrupt(torch.ones(200, 3, 16, 16), random.Random(0)) - 1
    deviations = noise.std((1, 2, 3)) * 255
    assert deviations.min() < 10
    assert 90 < deviations.max() < 110
    assert noise.mean().abs() < 0.01  # a clipped value would never exceed 1


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = Schedule(1000, rate=1.0, warm_up=100, cooldown=0.5)
    assert schedule.at(0, 0) == pytest.approx(0.01)
    assert schedule.at(300, 0) == pytest.approx(1)
    assert schedule.at(750, 0) == pytest.approx(0.505)
    assert schedule.at(1000, 0) == pytest.approx(0.01)
    assert Schedule(1000, seconds=10).done(100, 5) == 0.5


def test_validation_is_the_same_every_time_and_sees_the_noise() -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    first, again = (validate(torch.nn.Identity(), images) for _ in range(2))
    assert first == again
    assert first["gaussian:25"] == pytest.approx(20.3, abs=0.5)  # -20 log10(25 / 255), less what clipping removes
    assert first["clean"] == 100


def test_photographs_are_read_from_packages_and_their_archives(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGBA", (30, 20), (255, 0, 0, 0)).save(data, "PNG")
    (tmp_path / "plain.png").write_bytes(data.getvalue())
    with zipfile.ZipFile(tmp_path / "game.pk3", "w") as archive:
        archive.writestr("textures/wall.png", data.getvalue())
    for path in ("plain.png", "game.pk3:textures/wall.png"):
        image = _open(tmp_path, path)
        assert (image.size, image.mode, image.getpixel((0, 0))) == ((30, 20), "RGB", (255, 255, 255))
    with pytest.raises(KeyError):
        _open(tmp_path, "game.pk3:textures/floor.png")


def test_an_interrupted_extraction_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos_1.deb").touch()
    commands: list[list[Path]] = []

    def extract(command: list[Path], **_: object) -> None:
        commands.append(command)
        command[-1].mkdir(exist_ok=True)
        if len(commands) == 1:
            raise KeyboardInterrupt
        (command[-1] / "photo.jpg").touch()

    monkeypatch.setattr(subprocess, "run", extract)
    with pytest.raises(KeyboardInterrupt):
        _extracted("photos", tmp_path)
    assert (_extracted("photos", tmp_path) / "photo.jpg").exists()


def test_validation_crops_show_the_most_detailed_part() -> None:
    pixels = np.full((1200, 1600, 3), 128, np.uint8)
    pixels[600:, 800:] = np.random.default_rng(0).integers(0, 256, (75, 100, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    crop = np.asarray(_crop(Image.fromarray(pixels)))
    assert crop.shape == (256, 256, 3)
    assert crop.std(axis=(0, 1)).min() > 30


def test_the_quantised_network_agrees_with_the_network(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "IMAGES", 8)
    network, file = pretrained("perceptual"), tmp_path / "network.onnx"
    with torch.no_grad():
        quantise.quantise(network, quantise.calibration_images(photographs), file)
        image = next(quantise.calibration_images(photographs, seed=1))[..., :64, :96]
        expected = network(image)
    (output,) = onnxruntime.InferenceSession(file).run(None, {"images": image.numpy()})
    assert output.shape == expected.shape
    assert 0 < np.abs(output - expected.numpy()).mean() < 4 / 255
    assert file.stat().st_size < 3_000_000
