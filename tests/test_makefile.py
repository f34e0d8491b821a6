"""The make targets: their commands, their error messages, and a small run of the experiment."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run make in the repository, or in a directory with the same Makefile."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_make_without_a_target_lists_the_targets() -> None:
    listed = make().stdout
    for target in ("demo", "unit", "test", "paper", "figure2", "figure8", "smoke", "sample", "bench"):
        assert re.search(rf"^{target} ", listed, re.MULTILINE)
    assert max(map(len, listed.splitlines())) <= 140


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Return a directory with the Makefile and an installed environment, but without outputs."""
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        os.utime(tmp_path / name, (0, 0))
    for name in (".venv", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return an empty directory of images."""
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def test_a_dry_run_prints_the_commands_of_a_figure(images: Path) -> None:
    planned = make(
        "-n", "figure4", f"IMAGES={images}", "PAPER=results/none", "ATTACKS=gs cw", "JOBS=3", "MODEL=resnet18"
    )
    lines = planned.stdout
    assert "dp-attack -a gs -a cw --model resnet18 -j 3" in lines
    fit = "dp-denoise --method dip --iterations 3000 --stop fixed:350 --stop loss:0.002 --stop oracle"
    assert f"{fit} --trace results/none/fits.trace --model resnet18 -j 3" in lines
    assert lines.count("dp-denoise") == 1  # one fit of each image serves all criteria
    assert not (ROOT / "results/none").exists()


def test_method_paper_uses_the_numbers_of_the_paper(images: Path) -> None:
    planned = make("-n", "paper", f"IMAGES={images}", "PAPER=results/none", "METHOD=paper").stdout
    assert "dp-denoise --method paper --iterations 3000 --stop fixed:1750 --stop loss:0.002 --stop oracle" in planned
    assert planned.count("--method paper --iterations") == 2  # attacked and clean images
    assert re.search(r"dp-mapsext --rule paper +-o results/none/images/maps-rule results/maps", planned)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["paper", "IMAGES=nowhere"],
            "IMAGES=nowhere is no directory: give a directory of images, in subdirectories named after",
        ),
        (["sample"], "sample needs IMAGENET=DIR, a directory of images in subdirectories named after their classes"),
        (["figure8", "MAPS=nowhere"], "MAPS=nowhere is no directory: give a directory of scanned maps"),
    ],
)
def test_missing_inputs_are_errors(arguments: list[str], message: str) -> None:
    done = make("-n", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_without_images_the_samples_are_used_with_a_message() -> None:
    planned = make("-n", "figure2").stdout
    assert planned.startswith("No IMAGES=DIR given")
    assert "results/samples" in planned


@pytest.mark.parametrize("target", ["bench", "bench-pipe", "bench-suspicion", "gate"])
def test_benchmarks_write_the_samples_if_no_images_are_given(target: str, fresh: Path) -> None:
    planned = make("-n", target, folder=fresh).stdout
    assert "dptools.samples results/samples.part" in planned


@pytest.mark.parametrize("where", ["PREFIX=/tmp/my programs", "DESTDIR=/tmp/my programs"])
@pytest.mark.parametrize("target", ["install", "uninstall"])
def test_a_space_in_a_prefix_is_refused(target: str, where: str) -> None:
    """`rm -rf` would otherwise delete /tmp/my."""
    done = make("-n", target, where)
    assert "make cannot handle a space in a name" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


def test_a_directory_with_a_space_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "my programs"
    folder.mkdir()
    (folder / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    done = make("help", folder=folder)
    assert done.returncode == 2
    assert f"make cannot handle the spaces in {folder}" in done.stderr


@pytest.mark.parametrize("target", ["universality", "robustness", "certify", "figure4", "bench", "gate"])
def test_all_commands_use_the_model_which_may_be_a_function_of_a_file(target: str, images: Path) -> None:
    """make reads a colon in the name of a file as the end of a target."""
    done = make("-n", target, f"IMAGES={images}", "MODEL=models/own.py:network")
    assert done.returncode == 0, done.stderr
    tools = [line for line in done.stdout.replace(" | ", "\n").splitlines() if re.search("dp-(attack|classify) ", line)]
    assert "--model models/own.py:network" in done.stdout
    assert all("--model models/own.py:network" in line for line in tools)


def test_settings_change_with_each_setting_and_each_image(fresh: Path, images: Path) -> None:
    file = fresh / "out/settings.txt"
    image = images / "image.jpg"
    image.write_bytes(b"one")

    def written(attacks: str) -> bool:
        """Return whether make writes the settings again, on which all outputs depend."""
        arguments = ["-o", ".venv/bin/dp-attack", f"IMAGES={images}", "PAPER=out", f"ATTACKS={attacks}"]
        done = make(*arguments, "out/settings.txt", folder=fresh)
        assert f"ATTACKS={attacks} METHOD" in file.read_text()
        return "up to date" not in done.stdout

    assert written("gs cw")
    assert not written("gs cw")
    assert written("gs")
    image.write_bytes(b"other")
    assert written("gs")


def test_benchmarks_of_directories_of_the_same_name_attack_again(fresh: Path, tmp_path: Path) -> None:
    for parent in "ab":
        (tmp_path / parent / "val").mkdir(parents=True)
    (fresh / "results/bench").mkdir(parents=True)
    planned = make("-n", "bench", "IMAGES=a/val", folder=fresh).stdout
    settings = re.search("echo '(.*)' > results/bench/val.txt", planned)
    assert settings
    (fresh / "results/bench/val.txt").write_text(settings[1] + "\n")
    (fresh / "results/bench/val.jsonl").touch()
    assert "--attack all" not in make("-n", "bench", "IMAGES=a/val", folder=fresh).stdout
    assert "--attack all" in make("-n", "bench", "IMAGES=b/val", folder=fresh).stdout


def test_the_report_of_the_paper_needs_no_earlier_results(fresh: Path) -> None:
    """`tee` opens its file before Python makes the directory."""
    planned = make("-n", "paper-report", folder=fresh).stdout
    assert planned.index("mkdir -p results") < planned.index("| tee results/")


def test_a_sample_that_was_interrupted_is_no_sample(fresh: Path, images: Path) -> None:
    """`make paper` would otherwise run on a part of it."""
    (fresh / "stubs/bin").mkdir(parents=True)
    (fresh / "stubs/bin/dp-attack").touch()
    (fresh / "stubs/bin/python").write_text('#!/bin/sh\nmkdir -p "$3/half"\nexit 130\n')
    (fresh / "stubs/bin/python").chmod(0o755)
    assert make("sample", f"IMAGENET={images}", "VENV=stubs", folder=fresh).returncode == 2
    assert not (fresh / "results/sample").exists()


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_gate_fails_if_its_first_command_fails(status: int, fresh: Path, images: Path) -> None:
    """The status of a group of commands is that of the last one. Status 1 means that some image failed."""
    (fresh / "stubs/bin").mkdir(parents=True)
    fails = f'case "$*" in "--model tiny --suspect {images}") exit {status};; *) exit 0;; esac'
    for tool in ("dp-attack", "dp-classify", "dp-denoise", "dp-eval"):
        (fresh / "stubs/bin" / tool).write_text(f"#!/bin/sh\n{fails}\n")
        (fresh / "stubs/bin" / tool).chmod(0o755)
    done = make("gate", f"IMAGES={images}", "MODEL=tiny", "VENV=stubs", folder=fresh)
    assert (done.returncode != 0) == (status == 2)


@pytest.mark.slow
def test_a_small_experiment_gives_the_same_results_after_it_was_killed(fresh: Path) -> None:
    killed = subprocess.run(
        ["timeout", "-s", "KILL", "60", "make", "smoke"], cwd=fresh, capture_output=True, check=False
    )
    assert killed.returncode != 0
    done = make("smoke", folder=fresh)
    assert done.returncode == 0, done.stderr
    first = results(fresh)
    assert len(first) >= 6
    assert (fresh / "results/smoke/report.html").exists()
    for file in (fresh / "results/smoke").glob("*.jsonl"):
        file.unlink()
    assert make("smoke", folder=fresh).returncode == 0
    assert results(fresh) == first


def results(folder: Path) -> dict[str, list[object]]:
    """Return the results of each image, by file."""
    files = sorted((folder / "results/smoke").glob("*.jsonl"))
    records = {file.name: [json.loads(line) for line in file.read_text().splitlines()] for file in files}
    return {
        name: [(record["id"], record.get("attack"), record.get("denoise"), record["classify"]) for record in lines]
        for name, lines in records.items()
    }


def test_the_scripts_that_no_test_runs_find_what_they_import() -> None:
    """They run for hours or on a GPU. One of them kept the name of a module that had moved."""
    scripts = [*(ROOT / "tests/benchmarks").glob("*.py"), *(ROOT / "tests/gpu").glob("*.py")]
    names = [str(path) for path in scripts if path.name != "other_classifiers.py"]  # needs a package of its own
    code = "import runpy, sys; [runpy.run_path(name, run_name='imported') for name in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/tests/benchmarks:{ROOT}/tests/gpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(names) > 12
