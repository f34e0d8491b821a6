"""Tests of copying a random sample of a labelled folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run

from dptools.samples import copy_sample

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, count in (("n01", 3), ("n02", 1), ("n03", 5), ("n04", 2)):
        (tmp_path / "all" / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "all" / name / f"{number}.JPEG").write_text(f"{name} {number}")
        (tmp_path / "all" / name / "notes.txt").write_text("not an image")
    return tmp_path / "all"


def test_the_same_seed_chooses_the_same_images(folder: Path, tmp_path: Path) -> None:
    runs = [
        copy_sample(folder, tmp_path / str(run), classes=2, per_class=2, seed=seed)
        for run, seed in enumerate((1, 1, 5))
    ]
    names = [[path.relative_to(tmp_path / str(run)) for path in paths] for run, paths in enumerate(runs)]
    assert names[0] == names[1] != names[2]
    assert len({path.parent for path in runs[0]}) == 2
    assert [path.read_text() for path in runs[0]] == [f"{path.parent.name} {path.stem}" for path in runs[0]]


def test_a_python_without_foolbox_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-m", "dptools.samples", tmp_path]  # -S: without the packages of the environment
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"dptools.samples: Foolbox is not installed for {sys.executable}: use the python of")


def test_hidden_files_and_directories_are_not_copied(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "n02" / "d.png", folder / ".n05"):
        path.mkdir()
    for path in (folder / "n02" / "._1.png", folder / ".n05" / "a.png", folder / ".n05" / "b.png"):
        path.write_text("hidden")
    paths = copy_sample(folder, tmp_path / "out", classes=4, per_class=1, seed=0)
    assert {path.parent.name for path in paths} == {"n01", "n02", "n03", "n04"}
    with pytest.raises(ValueError, match="3 found"):
        copy_sample(folder, tmp_path / "out", classes=4, per_class=2, seed=0)


def test_standard_output_that_is_closed_or_full_gives_no_traceback(folder: Path, tmp_path: Path, sh: Run) -> None:
    (tmp_path / "all" / "n03" / os.fsdecode(b"\xff.png")).write_text("n03")
    command = "python -m dptools.samples out --of all --classes 1 --per-class 6"
    full = sh(f"{command} > /dev/full")
    assert (full.returncode, full.stderr) == (1, "dptools.samples: write error: No space left on device\n")
    closed = sh(f"set -o pipefail; {command} | sleep 0")
    assert closed.stderr == ""
    assert sh(f"{command} | wc -l").stdout.strip() == "6"


def test_classes_with_too_few_images_are_left_out(folder: Path, tmp_path: Path) -> None:
    paths = copy_sample(folder, tmp_path / "out", classes=3, per_class=2, seed=0)
    assert {path.parent.name for path in paths} == {"n01", "n03", "n04"}
    with pytest.raises(ValueError, match="4 directories with 2 images or more needed, 3 found"):
        copy_sample(folder, tmp_path / "out", classes=4, per_class=2, seed=0)
