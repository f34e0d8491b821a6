"""Tests of the overlay of dp-mapsext."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dptools.errors import SampleError
from dptools.pipe.sample import Sample
from dptools.tools.mapsext.overlay import overlay_path, write_overlay


def test_an_overlay_in_a_directory_is_named_after_the_map() -> None:
    sample = Sample({"id": "maps/a.jpg"})
    assert overlay_path(sample, Path("drawn")) == (Path("drawn/maps/a@words.png"), Path("drawn"))
    assert overlay_path(sample, Path("drawn/b.jpg")) == (Path("drawn/b.jpg"), Path("drawn"))


@pytest.mark.parametrize("key", ["path", "source"])
def test_an_overlay_never_overwrites_its_map(key: str, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"map")
    with pytest.raises(SampleError, match="would overwrite the input"):
        write_overlay(Sample({"id": "a.png", key: str(file)}, pixels=np.zeros((9, 9, 3), np.uint8)), file)
    assert file.read_bytes() == b"map"


@pytest.mark.parametrize("suffix", ["png", "jpg", "TIF", "webp"])
def test_an_overlay_has_the_format_of_its_suffix_and_the_size_of_the_map(suffix: str, tmp_path: Path) -> None:
    word = {"text": "Rolla", "angle": 0.0, "polygon": [[5, 5], [40, 5], [40, 15], [5, 15]]}
    sample = Sample({"id": "a.png", "mapsext": {"words": [word]}}, pixels=np.full((30, 60, 3), 200, np.uint8))
    write_overlay(sample, tmp_path / f"drawn.{suffix}")
    with Image.open(tmp_path / f"drawn.{suffix}") as image:
        assert image.size == (60, 30)
        assert len(image.convert("RGB").getcolors(1800) or []) > 1
