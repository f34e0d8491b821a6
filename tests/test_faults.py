"""Faults of the system: killed runs, full disks, files that disappear, too little memory, concurrent runs."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN, Run
from PIL import Image
from runs import alive, children, started, wait_until
from runs import records as records_of

from dptools.pipe.image import decode

Picture = Callable[..., Path]

CHEAP = "dp-denoise --method median:3"


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    """Return a directory of forty small images in two subdirectories."""
    for number in range(40):
        picture(tmp_path / "in" / f"{number % 2}" / f"{number:02}.png", size=(160, 120), seed=number)
    return tmp_path / "in"


def records(text: str) -> list[dict[str, Any]]:
    """Return the records without the key that tells a resumed run from an uninterrupted one."""
    return [{key: value for key, value in record.items() if key != "cached"} for record in records_of(text)]


def images(directory: Path) -> dict[str, bytes]:
    """Return the pixels of all files that are not hidden, by relative path; fail if one is not a whole image."""
    paths = [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(directory)): decode(path.read_bytes()).pixels.tobytes() for path in paths}


def killed(command: str, images: int, delay: float, environment: dict[str, str], out: Path) -> bool:
    """Run a command and kill its process group; return False if the command ended before.

    Args:
        images: The number of new images in ``out`` that starts the countdown.
        delay: The length of the countdown in seconds.
    """
    run = subprocess.Popen(
        ["bash", "-c", command], cwd=out.parent, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    before = len(list(out.glob("*/*.png")))
    wait_until(lambda: run.poll() is not None or len(list(out.glob("*/*.png"))) - before >= images, 60)
    time.sleep(delay)
    if run.poll() is not None:
        return False
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return True


def check_resumption(times: int, sh: Run, folder: Path, environment: dict[str, str]) -> None:
    """Check that killed runs leave whole images only, and that the next run gives what an uninterrupted one gives.

    Each output directory takes three kills before the next directory is begun.
    """
    whole = sh(f"{CHEAP} in -o whole")
    expected = images(folder.parent / "whole")
    chance = random.Random(0)
    counts = set()
    for number in range(times):
        out = folder.parent / f"out{number // 3}"
        while not killed(f"{CHEAP} in -o {out.name}", chance.randrange(14), chance.random() / 2, environment, out):
            assert images(out) == expected
            shutil.rmtree(out)
        written = images(out) if out.exists() else {}
        assert written.items() <= expected.items()
        counts.add(len(written))
    assert len(counts) > 1
    for number in range((times + 2) // 3):
        again = sh(f"{CHEAP} in -o out{number}")
        assert again.returncode == 0
        assert records(again.stdout.replace(f'"out{number}/', '"whole/')) == records(whole.stdout)
        assert images(folder.parent / f"out{number}") == expected


def test_a_run_killed_at_random_moments_is_resumed(sh: Run, folder: Path, environment: dict[str, str]) -> None:
    check_resumption(3, sh, folder, environment)


@pytest.mark.slow
def test_a_run_killed_at_a_hundred_random_moments_is_resumed(
    sh: Run, folder: Path, environment: dict[str, str]
) -> None:
    check_resumption(100, sh, folder, environment)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_tool_and_its_workers_and_the_run_can_be_resumed(
    sh: Run, tmp_path: Path, picture: Picture, environment: dict[str, str], signal_number: signal.Signals
) -> None:
    for number in range(12):
        picture(tmp_path / "in" / f"{number:02}.png", size=(800, 600), seed=number)
    whole = sh(f"{CHEAP} in -o whole -j 2")
    command = [BIN / "dp-denoise", "--method", "median:3", "in", "-o", "out", "-j", "2"]
    with started(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert wait_until(lambda: any((tmp_path / "out").glob("*.png")), 60)
        workers = children(run.pid)
        run.send_signal(signal_number)
        _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (-signal_number, "")
    assert len(workers) >= 2
    assert wait_until(lambda: not any(alive(pid) for pid in workers), 10)
    expected = images(tmp_path / "whole")
    assert images(tmp_path / "out").items() < expected.items()
    again = sh(f"{CHEAP} in -o out -j 2")
    assert (again.returncode, again.stderr, images(tmp_path / "out")) == (0, "", expected)
    assert records(again.stdout.replace('"out/', '"whole/')) == records(whole.stdout)
    assert all(path.name.endswith(".part") for path in (tmp_path / "out").rglob(".*"))


def test_a_full_disk_loses_no_record_and_leaves_no_partial_file(sh: Run, tmp_path: Path, picture: Picture) -> None:
    """A limit on the size of files stands for the full disk: the system rejects writes in the same way."""
    picture(tmp_path / "in" / "small.png", size=(60, 60))
    picture(tmp_path / "in" / "large.png", size=(400, 400))
    picture(tmp_path / "in" / "tiny.png", size=(20, 20))
    ran = sh(f"(ulimit -f 100; {CHEAP} in -o out)")
    assert ran.returncode == 1
    assert ran.stderr == "dp-denoise: in/large.png: out/large.png: File too large\n"
    assert ["error" in record for record in records(ran.stdout)] == [True, False, False]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["small.png", "tiny.png"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_file_system_without_space(sh: Run, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "out").mkdir()
    if sh("mount -t tmpfs -o size=400k tmpfs out").returncode:
        pytest.skip("mounting a file system failed")
    try:
        ran = sh(f"{CHEAP} in -o out")
        made = images(tmp_path / "out")
        hidden = list((tmp_path / "out").rglob(".*"))
    finally:
        sh("umount -l out")
    found = records(ran.stdout)
    assert (ran.returncode, len(found), hidden) == (1, 40, [])
    assert len(made) == sum("error" not in record for record in found) > 0
    assert {record["error"]["message"].split(": ")[-1] for record in found if "error" in record} == {
        "No space left on device"
    }


def test_a_file_that_disappears_during_a_run_is_one_error_record(sh: Run, folder: Path) -> None:
    """The file is removed after the first image is written, that is, while the tool waits for the next name."""
    wait = "until compgen -G 'out/**/00.png' > /dev/null; do sleep 0.05; done"
    names = f"echo in/0/00.png; shopt -s globstar; {wait}; rm in/0/02.png; echo in/1/01.png; echo in/0/02.png"
    ran = sh(f"{{ {names}; }} | {CHEAP} -o out", timeout=120)
    assert ran.returncode == 1
    assert [record.get("error", {}).get("type") for record in records(ran.stdout)] == [None, None, "FileNotFoundError"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root needs setpriv")
def test_a_file_without_read_permission_is_one_error_record(sh: Run, folder: Path) -> None:
    """Root drops the capabilities that ignore file modes: another user could not read a Python in root's home."""
    (folder / "0" / "00.png").chmod(0)
    drop = "setpriv --bounding-set -dac_override,-dac_read_search" if os.geteuid() == 0 else ""
    ran = sh(f"{drop} {CHEAP} in -o out")
    assert (ran.returncode, ran.stderr.count("\n"), len(records(ran.stdout))) == (1, 1, 40), ran.stderr
    assert [record["error"]["type"] for record in records(ran.stdout) if "error" in record] == ["PermissionError"]


def test_a_directory_named_like_an_image_and_a_loop_of_symbolic_links(sh: Run, folder: Path) -> None:
    (folder / "x.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    ran = sh(f"{CHEAP} in -o out")
    assert ran.returncode == 1
    assert [record["id"] for record in records(ran.stdout) if "error" in record] == ["loop.png"]
    assert len(records(ran.stdout)) == 41


@pytest.mark.parametrize(
    ("where", "kinds"), [("--engine inline", {"OutOfMemory"}), ("-j 1", {"OutOfMemory", "WorkerDied"})]
)
def test_too_little_memory_fails_only_that_image(
    sh: Run, tmp_path: Path, picture: Picture, where: str, kinds: set[str]
) -> None:
    """A worker process inherits the memory limit. If the limit kills the worker, the record says so."""
    for name in ("a", "c"):
        picture(tmp_path / f"{name}.png")
    Image.new("RGB", (9000, 9000)).save(tmp_path / "b.png")
    limit = 2 * 2**30

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    ran = sh(f"OMP_NUM_THREADS=1 {CHEAP} {where} a.png b.png c.png -o out", preexec_fn=limited)
    found = records(ran.stdout)
    assert (ran.returncode, len(found)) == (1, 3), ran.stderr
    assert found[1]["error"]["type"] in kinds
    assert "error" not in found[0] | found[2]


def test_two_concurrent_runs_into_one_directory(sh: Run, folder: Path) -> None:
    ran = sh(f"{CHEAP} in -o out > one & {CHEAP} in -o out > two; a=$?; wait $!; echo $a $?")
    assert ran.stdout == "0 0\n", ran.stderr
    one, two = (records((folder.parent / name).read_text()) for name in ("one", "two"))
    assert one == two
    assert len(images(folder.parent / "out")) == 40
    assert not list((folder.parent / "out").rglob(".*"))


def test_a_closed_reader_ends_the_whole_pipeline(sh: Run, folder: Path) -> None:
    """The input does not end before all tools have ended."""
    names = "until [ -e ended ]; do cp in/0/00.png in/$((++n)).png; echo in/$n.png; sleep 0.05; done"
    tools = f"{CHEAP} --engine inline -o out | dp-classify"
    ran = sh(f"{{ {names}; }} | {{ {tools} | head -n 1; echo ${{PIPESTATUS[@]}}; touch ended; }}", timeout=120)
    assert ran.stdout.count("\n") == 2
    assert ran.stdout.endswith("1 1 0\n")
    assert ran.stderr == ""
