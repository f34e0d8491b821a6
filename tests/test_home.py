"""The tools write nothing into the home directory: the telemetry of ONNX Runtime is disabled."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run

LIBRARY = "import dptools, torch; dptools.purifiers.load('fast')(torch.rand(1, 3, 32, 32))"
NETWORK = Path(__file__).parents[1] / "dptools" / "purifiers" / "denoiser" / "perceptual.onnx"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("dp-denoise --method fast -o out a.png", 0),
        (f"dp-classify --model {NETWORK} --size 32 a.png", 2),  # The network is loaded, and is no classifier.
        ("dp-mapsext --words -o out a.png", 0),
        (f'python -c "{LIBRARY}"', 0),
    ],
    ids=["denoise", "classify", "mapsext", "library"],
)
def test_an_empty_home_directory_stays_empty(
    command: str, status: int, sh: Run, tmp_path: Path, picture: Callable[..., Path], environment: dict[str, str]
) -> None:
    picture(tmp_path / "a.png", (64, 64))
    home = tmp_path / "home"
    home.mkdir()
    unwanted = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "ORT_DISABLE_TELEMETRY")
    variables = {name: value for name, value in environment.items() if name not in unwanted}
    done = sh(command, env={**variables, "HOME": os.fspath(home)})
    assert done.returncode == status, done.stderr
    assert list(home.rglob("*")) == []
