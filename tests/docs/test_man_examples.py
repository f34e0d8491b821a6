"""The examples of the manual pages run without errors."""

import os
import shutil
from pathlib import Path

import pytest
from classifiers.own_models import write_images, write_mine, write_onnx
from conftest import BIN
from docs.examples import examples_of_man, run
from servers import oip, scores, serving

PAGES = sorted((Path(__file__).parents[2] / "man").iterdir())

# This `python` deletes all but six of the 20 sample images after writing them, to save time.
PYTHON_WITH_FEW_SAMPLES = """#!/bin/sh
%s "$@" || exit
case "$*" in *dptools.samples*) find imgs -name '*_0[45689]_*' -delete -o -name '*_1[0-689]_*' -delete ;; esac
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """Return a directory with what the examples expect: maps, models, and a `python` that writes few samples."""
    from dptools.samples import write_map

    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(PYTHON_WITH_FEW_SAMPLES % (BIN / "python"))
    python.chmod(0o755)
    map_image, ground_truth = write_map(tmp_path)
    (tmp_path / "maps").mkdir()
    shutil.copy(map_image, tmp_path / "maps" / "sheet1.png")
    shutil.move(ground_truth, tmp_path / "maps" / "sheet1.geojson")
    (tmp_path / "places.txt").write_text("Alderton\nBrook\n")
    network = write_mine(tmp_path)
    (tmp_path / "mine.pth").rename(tmp_path / "best.pth")
    write_onnx(tmp_path / "net.onnx", network)
    write_images(tmp_path / "clean", network, 20)
    write_images(tmp_path / "new", network, 2)
    return tmp_path


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run_without_errors(page: Path, sandbox: Path, environment: dict[str, str]) -> None:
    examples = list(examples_of_man(page.read_text()))
    assert len(examples) >= 3
    path = f"{sandbox / 'bin'}{os.pathsep}{environment['PATH']}"
    with serving(oip(lambda _: scores(*range(1000)), classes=1000)) as server:
        local = [example.with_replacements({"http://localhost:8000": server.url}) for example in examples]
        results = run(local, sandbox, {**environment, "PATH": path})
    failures = [(result.example.command, result.status, result.stderr) for result in results]
    failures = [failure for failure in failures if failure[1] != 0 or failure[2]]
    assert not failures, "\n".join(map(str, failures))
