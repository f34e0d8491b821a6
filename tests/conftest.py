"""Fixtures: sample photographs, small random images, and the tools as a user runs them; and the `unit` marker."""

import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

from dptools.samples import write_samples

Run = Callable[..., subprocess.CompletedProcess[str]]
BIN = Path(sys.executable).parent
TESTS = Path(__file__).parent

# The time for an example depends on the load of the machine.
hypothesis.settings.register_profile("dptools", deadline=None)
hypothesis.settings.load_profile("dptools")

# The marker `unit`, which `make unit` selects, is given to the tests whose ids begin like this, unless they use the
# fixture `sh`, which runs tools, or are marked `slow` or `docs`. It must finish within a minute on two cores.
UNIT = tuple(
    f"tests/{path}"
    for path in (
        "attacks/",
        "classifiers/test_classes.py",
        "classifiers/test_classifier.py",
        "classifiers/test_label_map.py",
        "classifiers/test_service.py",
        "detection/",
        "engine/test_pool.py",
        "evaluation/",
        "maps/",
        "pipe/",
        "purifiers/",
        "test_architecture.py",
        "test_samples.py",
        "tools/",
    )
)

# Exceptions, by the beginning of the test's id: files and tests that take more than about a second.
NOT_UNIT = tuple(
    f"tests/{path}"
    for path in (
        "attacks/test_adef.py",
        "attacks/test_attacks.py",
        "attacks/test_lattice.py::test_no_image_exceeds_the_budget",
        "attacks/test_perturb.py::test_any_module_can_be_attacked[adef",
        "evaluation/test_figures.py::test_equal_figures_give_equal_files",
        "evaluation/test_figures.py::test_the_text_of_svg_and_pdf_is_text",
        "evaluation/test_report.py",
        "maps/test_lines.py::test_a_letter_on_a_tile_border_is_found_once",
        "pipe/test_shard_sink.py::test_webdataset_reads_the_shard",
        "pipe/test_shards.py::test_random_damage",
        "pipe/test_record.py::test_unknown_keys_and_any_file_name_are_preserved",
        "purifiers/denoiser/test_texture.py::test_texture_is_the_same_across_tiles",
        "purifiers/denoiser/test_training.py::test_an_interrupted_run_goes_on_where_it_stopped",
        "purifiers/denoiser/test_training.py::test_the_command_writes_weights_and_resumes",
        "purifiers/denoiser/test_training.py::test_training_reduces_the_loss",
        "purifiers/dip/test_fit.py::test_a_fit_from_random_weights",
        "purifiers/dip/test_fit.py::test_a_fit_that_diverges_twice_is_an_error",
        "purifiers/test_transform.py::test_a_data_loader",
        "purifiers/test_tiling.py::test_tiles_have_one_size_of_at_most_the_side",
        "purifiers/dip/test_fit.py::test_the_oracle_stops_at_the_first_image_with_the_true_label",
    )
)

# One thread for each test process: with more, tests that run side by side are up to 20 times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# One core for each test process that runs beside others. A tool then starts one worker by default instead of one per
# core, and each further worker would import torch again, which takes two seconds.
if (number := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")) and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(number) % len(cores)]})

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


FOLDERS = {"eval": "evaluate"}  # of the tools whose folder has another name

# A command that prepares files or standard input, and a tool.
COMMAND = re.compile(r"(?:(?P<before>.*)(?P<joint>[;|]) )?dp-(?P<tool>\w+)(?P<arguments>.*)", re.DOTALL)


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``dp-TOOL``, ``COMMAND; dp-TOOL`` or ``COMMAND | dp-TOOL`` as ``sh`` does.

    The tool runs in this process, because its start takes most of the time of a test of its options.
    """

    def run(command: str) -> subprocess.CompletedProcess[str]:
        match = COMMAND.fullmatch(command)
        assert match
        before = subprocess.run(
            ["bash", "-c", match["before"] or ":"], cwd=tmp_path, stdout=subprocess.PIPE, check=True
        )
        main = importlib.import_module(f"dptools.tools.{FOLDERS.get(match['tool'], match['tool'])}.command").main
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"dp-{match['tool']}", *shlex.split(match["arguments"])])
        readable, writable = os.pipe()
        os.write(writable, before.stdout)
        os.close(writable)
        capfd.readouterr()
        with open(readable) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            with pytest.raises(SystemExit) as end:
                main()
        return subprocess.CompletedProcess(command, end.value.code or 0, *capfd.readouterr())

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
    """Give the fast tests the marker `unit`."""
    for item in items:
        if _is_unit(item):
            item.add_marker(pytest.mark.unit)


def _is_unit(item: pytest.Item) -> bool:
    runs_tools = "sh" in getattr(item, "fixturenames", ())
    marked = any(item.iter_markers("slow")) or any(item.iter_markers("docs"))
    return item.nodeid.startswith(UNIT) and not (item.nodeid.startswith(NOT_UNIT) or runs_tools or marked)
