"""The benchmarks: they measure again after their settings change, and count each image once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))  # the scripts import one another
from universality import is_recorded, run_once


def test_a_run_is_repeated_if_its_command_or_its_images_change(tmp_path: Path) -> None:
    file, count = tmp_path / "run.jsonl", tmp_path / "count"
    count.touch()

    def runs(option: str, names: bytes, jobs: int = 1) -> bool:
        """Return whether the tool runs."""
        before, script = count.stat().st_size, f"echo >> '{count}'; cat"
        command = ["sh", "-c", script, option]
        run_once(command, file, names, jobs)
        assert file.read_bytes() == names
        assert is_recorded(command, file, names)
        return count.stat().st_size > before

    assert runs("--steps=2", b"a")
    assert not runs("--steps=2", b"a", jobs=2)
    assert runs("--steps=5", b"a")
    assert runs("--steps=5", b"a\0b")
    (tmp_path / "run.jsonl").unlink()
    assert runs("--steps=5", b"a\0b")


def test_a_tool_that_fails_leaves_no_records(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="run: sh failed"):
        run_once(["sh", "-c", "exit 2"], tmp_path / "run.jsonl")
    assert not is_recorded(["sh", "-c", "exit 2"], tmp_path / "run.jsonl")
