"""The make targets: what they would do, what they say without images, and the whole experiment in small."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Make, in this folder or in one with the same Makefile."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_make_alone_lists_its_targets() -> None:
    listed = make().stdout
    for target in ("demo", "test", "paper", "figure2", "figure8", "smoke", "sample", "bench"):
        assert re.search(rf"^{target} ", listed, re.MULTILINE)
    assert max(map(len, listed.splitlines())) <= 140


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder with the Makefile in which nothing is made, but all is installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(tmp_path / name, (0, 0))
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def test_a_dry_run_tells_what_each_figure_takes(images: Path) -> None:
    planned = make(
        "-n", "figure4", f"IMAGES={images}", "PAPER=results/none", "ATTACKS=gs cw", "JOBS=3", "MODEL=resnet18"
    )
    lines = planned.stdout
    assert "dp-attack -a gs -a cw --model resnet18 -j 3" in lines
    assert "dp-denoise --preset cold --stop fixed:350 --trace results/none/fixed.trace --model resnet18 -j 3" in lines
    assert "--stop oracle" not in lines
    assert not (ROOT / "results/none").exists()


def test_the_papers_preset_takes_the_papers_steps(images: Path) -> None:
    planned = make("-n", "paper", f"IMAGES={images}", "PAPER=results/none", "PRESET=paper").stdout
    assert "--preset paper --stop fixed:1750" in planned
    assert "--preset paper --stop oracle --iterations 3000" in planned
    assert re.search(r"dp-mapsext --rule paper +-o results/none/images/maps-rule results/maps", planned)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["paper", "IMAGES=nowhere"],
            "IMAGES=nowhere is no directory: give a folder of images, in directories named after",
        ),
        (["sample"], "sample needs IMAGENET=DIR, a folder of images in directories named after their classes"),
        (["figure8", "MAPS=nowhere"], "MAPS=nowhere is no directory: give a folder of scanned maps"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], message: str) -> None:
    done = make("-n", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_without_images_the_samples_are_taken_and_it_is_said() -> None:
    planned = make("-n", "figure2").stdout
    assert planned.startswith("No IMAGES=DIR given")
    assert "results/samples" in planned


@pytest.mark.parametrize("target", ["bench", "bench-pipe", "bench-suspicion", "gate"])
def test_what_is_measured_makes_the_samples_where_no_images_are_given(target: str, fresh: Path) -> None:
    planned = make("-n", target, folder=fresh).stdout
    assert "dptools.samples results/samples.part" in planned


@pytest.mark.slow
def test_the_experiment_in_small_ends_with_the_same_numbers_when_it_is_killed_on_the_way(fresh: Path) -> None:
    killed = subprocess.run(
        ["timeout", "-s", "KILL", "60", "make", "smoke"], cwd=fresh, capture_output=True, check=False
    )
    assert killed.returncode != 0
    done = make("smoke", folder=fresh)
    assert done.returncode == 0, done.stderr
    first = numbers(fresh)
    assert (fresh / "results/smoke/report.html").exists()
    for file in (fresh / "results/smoke").glob("*.jsonl"):
        file.unlink()
    assert make("smoke", folder=fresh).returncode == 0
    assert numbers(fresh) == first


def numbers(folder: Path) -> dict[str, list[object]]:
    """What was found of each image, by file."""
    files = sorted((folder / "results/smoke").glob("*.jsonl"))
    records = {file.name: [json.loads(line) for line in file.read_text().splitlines()] for file in files}
    return {
        name: [(each["id"], each.get("attack"), each.get("denoise"), each["classify"]) for each in found]
        for name, found in records.items()
    }
