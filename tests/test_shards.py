"""Shards through the tools as a user runs them: pipelines, kills, and memory."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run
from runs import started
from tars import jpeg, labelled, names, tar

from dptools.pipe.source import open_source

CHEAP = "dp-denoise --method bits:4 -q -j 1"


@pytest.fixture
def shard(tmp_path: Path) -> Callable[[str, int], Path]:
    """Return a function that writes a shard with a number of small images."""

    def write(name: str, count: int) -> Path:
        image = jpeg()
        (tmp_path / name).write_bytes(tar((f"{number:06}.jpg", image) for number in range(count)))
        return tmp_path / name

    return write


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_shard_through_pipes_keeps_order_labels_and_errors(sh: Run, tmp_path: Path) -> None:
    members = [*labelled(["n01/a", "b"]), ("bad.jpg", b"no image"), *labelled(["c"])]
    (tmp_path / "s.tar").write_bytes(tar(members))
    done = sh(f"set -o pipefail; {CHEAP} < s.tar | tee x.tar | {CHEAP} --method median:3 | {CHEAP} -o out 2> err")
    assert done.returncode == 1
    found = records(done.stdout)
    assert [record["id"] for record in found] == ["n01/a", "b", "bad", "c"]
    assert [record.get("label") for record in found] == [0, 1, None, 0]
    assert [len(record.get("stages", [])) for record in found] == [3, 3, 0, 3]  # type: ignore[arg-type]
    assert done.stderr.count("bad.jpg: not an image") == 1
    assert (tmp_path / "err").read_text() == ""
    assert names(tmp_path / "x.tar")[6:] == ["bad.error.json", "c.png", "c.json", "c.cls"]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["a.png", "b.png", "c.png"]


def test_images_flow_on_before_the_shard_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    whole = tar(labelled("abc"))
    third = whole.index(b"c.jpg")
    with started(CHEAP.split(), cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
        assert tool.stdin
        assert tool.stdout
        tool.stdin.write(whole[: third + 512])
        tool.stdin.flush()
        first = next(open_source([], tool.stdout).samples)  # the key of the next image shows that it is complete
        assert first.id == "a"
        tool.stdin.write(whole[third + 512 :])
        tool.stdin.close()
        assert b"c.png" in tool.stdout.read()


def test_records_lead_the_next_tool_into_the_shard(sh: Run, shard: Callable[[str, int], Path]) -> None:
    shard("s.tar", 5)
    done = sh(f"{CHEAP} -o a.tar s.tar | {CHEAP} --method median:3 -o b.tar | {CHEAP} --method jpeg:50 -o c.tar")
    assert (done.returncode, done.stderr) == (0, "")
    assert [record["path"] for record in records(done.stdout)] == [f"c.tar#{number:06}.png" for number in range(5)]


def test_killed_run_is_resumed_without_loss_or_duplicates(
    sh: Run, shard: Callable[[str, int], Path], tmp_path: Path, environment: dict[str, str]
) -> None:
    shard("s.tar", 600)
    command = [*CHEAP.split(), "-o", "out.tar", "s.tar"]
    for size in (30_000, 90_000):
        with started(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
            while tool.poll() is None and not any(part.stat().st_size > size for part in tmp_path.glob(".out*.part")):
                time.sleep(0.01)
            os.kill(tool.pid, signal.SIGKILL)
            assert tool.stdout
            assert tool.stderr
            assert (tool.stdout.read(), tool.stderr.read()) == (b"", b"")
        assert not (tmp_path / "out.tar").exists()
    done = sh(" ".join(command))
    found = records(done.stdout)
    assert [record["id"] for record in found] == [f"s.tar#{number:06}" for number in range(600)]
    assert 20 < sum(bool(record.get("cached")) for record in found) < 600
    assert not list(tmp_path.glob(".*"))
    sh(" ".join(command).replace("out.tar", "other.tar"))
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()


def test_memory_does_not_grow_with_the_shard(sh: Run, shard: Callable[[str, int], Path]) -> None:
    for name, count in (("few.tar", 200), ("many.tar", 2000)):
        shard(name, count)
    peak = "python -c 'import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=-3);" + (
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "
    )
    few, many = (
        int(sh(f"{peak} {CHEAP} --engine inline -o out-{name} {name}").stdout) for name in ("few.tar", "many.tar")
    )
    assert many < few + 8 * 1024


def test_label_is_the_directory_in_the_shard(sh: Run, dog: Path, tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(tar([(f"n02108422/{dog.name}", dog.read_bytes())]))
    done = sh("dp-classify s.tar; dp-classify --json - < s.tar")
    assert [record["classify"]["label_rank"] for record in records(done.stdout)] == [1, 1]  # type: ignore[index]


def test_shard_among_other_operands(sh: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "s.tar").write_bytes(tar(labelled("xy")))
    done = sh(f"{CHEAP} -o out a.jpg s.tar - < s.tar; ls out")
    assert done.stdout.splitlines()[-5:] == ["a.png", "s.tar#x.png", "s.tar#y.png", "x.png", "y.png"]
