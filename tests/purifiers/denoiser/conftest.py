"""Photographs for the tests of the training."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Write a photograph of waves, and a disc on a transparent ground; return their directory."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    x, y = np.meshgrid(np.arange(620), np.arange(400))
    waves = np.stack([127 + 100 * np.sin(x / k) * np.cos(y / 20) for k in (5, 9, 30)], axis=-1).astype(np.uint8)
    Image.fromarray(waves).save(folder / "waves.png")
    alpha = 255 * (np.hypot(x - 150, y - 150) < 140)[:300, :300].astype(np.uint8)
    Image.fromarray(np.dstack([waves[:300, :300], alpha]), "RGBA").save(folder / "disc.png")
    return folder
