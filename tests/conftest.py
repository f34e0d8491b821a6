"""Fixtures: real images, small images, and the tools as a user runs them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dptools.samples import write_samples

Run = Callable[..., subprocess.CompletedProcess[str]]
BIN = Path(sys.executable).parent

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of tests side by side wait for each other, 20 times as long

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is behind an & in a script, and for all that is started
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """A user's environment: the tools on the PATH, and stdout buffered as it is by default."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONUNBUFFERED", "DPTOOLS_DEBUG")}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}"}


@pytest.fixture
def sh(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run a shell command in a fresh directory."""

    def run(command: str, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        return subprocess.run(["bash", "-c", command], **{"stdin": subprocess.DEVNULL, **settings, **options})  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 20 ImageNet images that Foolbox ships, as wnid/name.jpg."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


@pytest.fixture(scope="session")
def dog(samples: Path) -> Path:
    """A bull mastiff, class 243, that the bundled classifier gets right."""
    return samples / "n02108422" / "imagenet_00_243.jpg"


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Write a small image of random pixels."""

    def write(path: Path, size: tuple[int, int] = (24, 16), seed: int = 0, **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
        return path

    return write
