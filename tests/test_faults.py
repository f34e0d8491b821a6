"""What happens at night: killed runs, full disks, files that vanish, too little memory, two runs at once."""

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
from runs import comes
from runs import records as records_of

from dptools.pipe.image import decode

Picture = Callable[..., Path]

CHEAP = "dp-denoise --method median:3"


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    """Forty small images in two directories."""
    for number in range(40):
        picture(tmp_path / "in" / f"{number % 2}" / f"{number:02}.png", size=(160, 120), seed=number)
    return tmp_path / "in"


def records(text: str) -> list[dict[str, Any]]:
    """Of a run that was taken up, as of one that was left alone."""
    return [{key: value for key, value in record.items() if key != "cached"} for record in records_of(text)]


def images(directory: Path) -> dict[str, bytes]:
    """The pixels of all that is there but hidden; what is half written cannot be read."""
    paths = [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(directory)): decode(path.read_bytes()).pixels.tobytes() for path in paths}


def killed(command: str, images: int, more: float, environment: dict[str, str], out: Path) -> bool:
    """Run it, and kill all of it so many seconds after it made so many images; its output is lost with it.

    Returns:
        False where it was done before.
    """
    run = subprocess.Popen(
        ["bash", "-c", command], cwd=out.parent, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    before = len(list(out.glob("*/*.png")))
    comes(lambda: run.poll() is not None or len(list(out.glob("*/*.png"))) - before >= images, 60)
    time.sleep(more)
    if run.poll() is not None:
        return False
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return True


def survives(times: int, sh: Run, folder: Path, environment: dict[str, str]) -> None:
    """After each kill, what is there is whole; the run after them all gives what one gives that was left alone."""
    whole = sh(f"{CHEAP} in -o whole")
    known = images(folder.parent / "whole")
    chance = random.Random(0)
    made = set()
    for number in range(times):
        out = folder.parent / f"out{number // 3}"  # three kills of a run, then another run from the beginning
        while not killed(f"{CHEAP} in -o {out.name}", chance.randrange(14), chance.random() / 2, environment, out):
            assert images(out) == known
            shutil.rmtree(out)  # it was done before: begin again
        found = images(out) if out.exists() else {}
        assert found.items() <= known.items()
        made.add(len(found))
    assert len(made) > 1
    for number in range((times + 2) // 3):
        again = sh(f"{CHEAP} in -o out{number}")
        assert again.returncode == 0
        assert records(again.stdout.replace(f'"out{number}/', '"whole/')) == records(whole.stdout)
        assert images(folder.parent / f"out{number}") == known


def test_killed_at_any_moment_and_taken_up(sh: Run, folder: Path, environment: dict[str, str]) -> None:
    survives(3, sh, folder, environment)


@pytest.mark.slow
def test_killed_a_hundred_times_at_any_moment_and_taken_up(sh: Run, folder: Path, environment: dict[str, str]) -> None:
    survives(100, sh, folder, environment)


def living(processes: list[str]) -> bool:
    states = subprocess.run(["ps", "-o", "stat=", "-p", ",".join(processes)], capture_output=True, text=True)
    return any(not state.startswith("Z") for state in states.stdout.split())


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_tool_and_its_workers_and_the_run_is_taken_up(
    sh: Run, tmp_path: Path, picture: Picture, environment: dict[str, str], end: signal.Signals
) -> None:
    for number in range(12):
        picture(tmp_path / "in" / f"{number:02}.png", size=(800, 600), seed=number)
    whole = sh(f"{CHEAP} in -o whole -j 2")
    command = [BIN / "dp-denoise", "--method", "median:3", "in", "-o", "out", "-j", "2"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert comes(lambda: any((tmp_path / "out").glob("*.png")), 60)
        started = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
        run.send_signal(end)
        _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (-end, "")
    assert len(started) >= 2
    assert comes(lambda: not living(started), 10)
    known = images(tmp_path / "whole")
    assert images(tmp_path / "out").items() < known.items()
    again = sh(f"{CHEAP} in -o out -j 2")
    assert (again.returncode, again.stderr, images(tmp_path / "out")) == (0, "", known)
    assert records(again.stdout.replace('"out/', '"whole/')) == records(whole.stdout)
    assert all(path.name.endswith(".part") for path in (tmp_path / "out").rglob(".*"))


def test_a_disk_that_fills_loses_no_record_and_leaves_nothing_half_written(
    sh: Run, tmp_path: Path, picture: Picture
) -> None:
    """A limit on the size of files stands for it: the system refuses the rest of what is written, as it does then."""
    picture(tmp_path / "in" / "small.png", size=(60, 60))
    picture(tmp_path / "in" / "large.png", size=(400, 400))
    picture(tmp_path / "in" / "tiny.png", size=(20, 20))
    ran = sh(f"(ulimit -f 100; {CHEAP} in -o out)")
    assert ran.returncode == 1
    assert ran.stderr == "dp-denoise: in/large.png: out/large.png: File too large\n"
    assert ["error" in record for record in records(ran.stdout)] == [True, False, False]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["small.png", "tiny.png"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_file_system_without_room(sh: Run, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "out").mkdir()
    if sh("mount -t tmpfs -o size=400k tmpfs out").returncode:
        pytest.skip("no file system can be mounted here")
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


def test_a_file_that_vanishes_is_one_error_record(sh: Run, folder: Path) -> None:
    """A pipe of names gives the time to take one away."""
    ran = sh(f"{{ echo in/0/00.png; sleep 2; echo in/1/01.png; rm in/0/02.png; echo in/0/02.png; }} | {CHEAP} -o out")
    assert ran.returncode == 1
    assert [record.get("error", {}).get("type") for record in records(ran.stdout)] == [None, None, "FileNotFoundError"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read all, and has no setpriv")
def test_a_file_that_may_not_be_read_is_one_error_record(sh: Run, folder: Path) -> None:
    """Root is held to the modes of files here; another user might have no way to a Python below root's home."""
    (folder / "0" / "00.png").chmod(0)
    held = "setpriv --bounding-set -dac_override,-dac_read_search" if os.geteuid() == 0 else ""
    ran = sh(f"{held} {CHEAP} in -o out")
    assert (ran.returncode, ran.stderr.count("\n"), len(records(ran.stdout))) == (1, 1, 40), ran.stderr
    assert [record["error"]["type"] for record in records(ran.stdout) if "error" in record] == ["PermissionError"]


def test_a_directory_by_the_name_of_an_image_and_a_loop_of_links(sh: Run, folder: Path) -> None:
    (folder / "x.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    ran = sh(f"{CHEAP} in -o out")
    assert ran.returncode == 1
    assert [record["id"] for record in records(ran.stdout) if "error" in record] == ["loop.png"]
    assert len(records(ran.stdout)) == 41


@pytest.mark.parametrize(
    ("where", "kinds"), [("--engine inline", {"OutOfMemory"}), ("-j 1", {"OutOfMemory", "WorkerDied"})]
)
def test_too_little_memory_is_that_images_error(
    sh: Run, tmp_path: Path, picture: Picture, where: str, kinds: set[str]
) -> None:
    """In the tool, and in a worker process, which has the tool's limit; where that kills it, the record says so."""
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


def test_two_runs_into_one_directory(sh: Run, folder: Path) -> None:
    ran = sh(f"{CHEAP} in -o out > one & {CHEAP} in -o out > two; a=$?; wait $!; echo $a $?")
    assert ran.stdout == "0 0\n", ran.stderr
    one, two = (records((folder.parent / name).read_text()) for name in ("one", "two"))
    assert one == two
    assert len(images(folder.parent / "out")) == 40
    assert not list((folder.parent / "out").rglob(".*"))


def test_a_reader_that_goes_away_ends_the_whole_pipe(sh: Run, folder: Path) -> None:
    start = time.monotonic()
    ran = sh(f"{CHEAP} in -o out | dp-classify | head -n 1; echo ${{PIPESTATUS[@]}}")
    assert ran.stdout.count("\n") == 2
    assert ran.stderr == ""
    assert time.monotonic() - start < 60
