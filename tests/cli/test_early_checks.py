"""Mistakes in operands and outputs are reported before a model is loaded, in one message."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run

Picture = Callable[..., Path]

CHEAP = "dp-denoise --method median:3"


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_a_missing_file_needs_no_model(engine: str, in_process: Run) -> None:
    """The weights do not exist, which a run that loads them would report."""
    done = in_process(f"dp-classify --engine {engine} --model resnet18 --weights nothing.pth a.png d/b.png")
    assert done.returncode == 1
    assert done.stderr == "".join(f"dp-classify: {name}: No such file or directory\n" for name in ("a.png", "d/b.png"))
    assert [json.loads(line)["error"]["stage"] for line in done.stdout.splitlines()] == ["dp-classify"] * 2


def test_a_url_is_a_missing_file_with_a_hint(in_process: Run) -> None:
    done = in_process("dp-classify https://example.org/a.png")
    assert done.stderr.endswith("a.png: No such file or directory: URLs are not read; download the image first\n")


def test_missing_files_are_reported_before_the_first_image(sh: Run, tmp_path: Path, picture: Picture) -> None:
    picture(tmp_path / "a.png")
    done = sh(f"{CHEAP} -o out a.png gone.png 2>&1")
    first, *records = done.stdout.splitlines()
    assert first == "dp-denoise: gone.png: No such file or directory"
    assert [json.loads(line).get("error", {}).get("type") for line in records] == [None, "FileNotFoundError"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("touch file; dp-denoise -o file/d a.png", "-o file/d: no file can be created in"),
        ("dp-attack -o /proc/d a.png", "-o /proc/d: no file can be created in /proc: No such file or directory"),
        ("dp-attack -o /proc/d.tar a.png", "-o /proc/d.tar: no file can be created in /proc: No such file or"),
        ("ln -s nowhere d; dp-denoise -o d a.png", "-o d: no file can be created in d: No such file or directory"),
        ("dp-mapsext --overlay /proc/d a.png", "/proc/d: no file can be created in /proc: No such file or directory"),
        ("dp-denoise --method dip --keep /proc/d -o o a.png", "/proc/d: no file can be created in /proc: No such file"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_usage_error(command: str, message: str, in_process: Run) -> None:
    done = in_process(command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), reason="root needs setpriv")
@pytest.mark.parametrize("name", ["closed", "closed/d", "closed/d.tar", "hidden/d", "hidden/d.tar"])
def test_an_output_without_permission_is_one_usage_error(name: str, sh: Run, tmp_path: Path, picture: Picture) -> None:
    """Root drops the capabilities that ignore file modes."""
    for number in range(3):
        picture(tmp_path / "in" / f"{number}.png")
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "hidden").mkdir(mode=0o600)
    drop = "setpriv --bounding-set -dac_override,-dac_read_search" if os.geteuid() == 0 else ""
    done = sh(f"{drop} {CHEAP} -o {name} in")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.endswith("Permission denied\n")


@pytest.mark.parametrize("out", ["in/out", "in/out.tar"])
def test_a_repeated_command_leaves_out_its_output_among_the_operands(
    out: str, sh: Run, tmp_path: Path, picture: Picture
) -> None:
    """The shell expands ``in/*`` to the input files, and in the second run to the output too."""
    picture(tmp_path / "in" / "a.png")
    first, second = (sh(f"{CHEAP} -o {out} in/*") for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, f"dp-denoise: {out}: left out, because it is an output\n")
    assert [json.loads(line)["cached"] for line in second.stdout.splitlines()] == [True]


def test_a_calibration_without_images_is_an_error(in_process: Run) -> None:
    done = in_process("dp-classify --calibrate calibration.json")
    assert done.returncode == 1
    assert "a calibration needs 20 clean images or more" in done.stderr
