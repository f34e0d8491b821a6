"""How the warm network's weights are made: of any folder of photographs, cut-outs among them."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dptools.purifiers.denoiser.warm import Guided
from dptools.purifiers.dip.corruption import CORRUPTIONS, corrupt, none
from dptools.purifiers.dip.photographs import PIECE, piece, read


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A photograph of waves, and a cut-out disc."""
    x, y = np.meshgrid(np.arange(300), np.arange(260))
    waves = np.stack([127 + 100 * np.sin(x / k) * np.cos(y / 20) for k in (5, 9, 30)], axis=-1).astype(np.uint8)
    Image.fromarray(waves).save(tmp_path / "waves.png")
    disc = np.dstack([waves[:200, :200], 255 * (np.hypot(x - 100, y - 100) < 90)[:200, :200].astype(np.uint8)])
    Image.fromarray(disc, "RGBA").save(tmp_path / "disc.png")
    return tmp_path


def test_photographs_are_read_at_all_scales_and_cut_outs_put_before_them(photographs: Path) -> None:
    found = read(photographs, random.Random(0))
    assert [image.shape for image in found] == [(240, 277, 3), (200, 200, 3)]
    pieces = [piece(found, random.Random(seed)) for seed in range(9)]
    assert {each.shape for each in pieces} == {(3, PIECE, PIECE)}
    assert all(0 <= each.min() <= each.max() <= 1 for each in pieces)


def test_a_folder_without_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photograph of 240 pixels or more a side"):
        read(tmp_path, random.Random(0))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_kind_of_noise_is_noise(kind) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    image = torch.full((3, 64, 64), 0.5)
    noisy = kind(image, random.Random(1))
    assert noisy.shape == image.shape
    assert torch.equal(noisy, image) == (kind is none)


def test_noisy_images_hang_on_the_seeds_alone() -> None:
    def drawn() -> torch.Tensor:
        torch.manual_seed(3)
        draw = random.Random(3)
        return torch.stack([corrupt(torch.full((3, 8, 8), 0.5), draw) for _ in range(20)])

    assert torch.equal(drawn(), drawn())


def test_training_writes_weights_that_the_network_takes(photographs: Path) -> None:
    out = photographs / "warm.pt"
    command = [sys.executable, "-m", "dptools.purifiers.dip.training", photographs, "-o", out, "--iterations", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2 of 2 iterations, loss 0." in done.stderr
    weights = torch.load(out, weights_only=True)
    assert {value.dtype for value in weights.values()} == {torch.float16}
    Guided().load_state_dict({name: value.float() for name, value in weights.items()})
