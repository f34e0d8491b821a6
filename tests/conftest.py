"""Fixtures: sample photographs, small random images, and the tools as a user runs them; and the `unit` marker."""

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
TESTS = Path(__file__).parent

# Tests below these paths get the marker `unit`, which `make unit` selects, unless they start a process (the fixture
# `sh`), are marked `slow` or `docs`, or are listed in TOO_SLOW. The selection must finish within a minute on two cores.
UNIT_PATHS = tuple(
    TESTS / path
    for path in (
        "attacks",
        "classifiers/test_classes.py",
        "classifiers/test_classifier.py",
        "classifiers/test_label_map.py",
        "classifiers/test_service.py",
        "detection",
        "engine/test_pool.py",
        "evaluation",
        "maps",
        "pipe",
        "purifiers",
        "test_architecture.py",
        "test_samples.py",
        "tools",
    )
)

# Tests that take more than about a second. A trailing `[...]` selects one set of parameters.
TOO_SLOW = frozenset({})

# One thread for each test process: with more, tests that run side by side are up to 20 times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts background jobs with SIGINT ignored, and child processes inherit that. Tests send SIGINT to tools.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return a user's environment: the tools are on the PATH, and standard output is buffered as by default."""
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONUNBUFFERED", "DPTOOLS_DEBUG")}
    return {**variables, "PATH": f"{BIN}{os.pathsep}{variables['PATH']}"}


@pytest.fixture
def sh(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Return a function that runs a shell command in the test's temporary directory."""

    def run(command: str, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        return subprocess.run(["bash", "-c", command], **{"stdin": subprocess.DEVNULL, **settings, **options})  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the 20 ImageNet images that Foolbox ships, as wnid/name.jpg."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


@pytest.fixture(scope="session")
def dog(samples: Path) -> Path:
    """Return a photograph of a bull mastiff (class 243), which the bundled classifier classifies correctly."""
    return samples / "n02108422" / "imagenet_00_243.jpg"


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Return a function that writes a small image of random pixels."""

    def write(path: Path, size: tuple[int, int] = (24, 16), seed: int = 0, **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
        return path

    return write


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the fast tests that start no process."""
    for item in items:
        if _is_unit(item):
            item.add_marker(pytest.mark.unit)


def _is_unit(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    excluded = "sh" in fixtures or {"slow", "docs"} & {marker.name for marker in item.iter_markers()}
    named = {item.name, getattr(item, "originalname", item.name)} & TOO_SLOW
    return not (excluded or named) and any(item.path.is_relative_to(path) for path in UNIT_PATHS)
