"""The benchmarks: they measure again after their settings change, and count each image once."""

import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))  # the scripts import one another
from restore import Case, Result, mean_over_attacks, run_case
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


def test_an_attack_that_a_resample_lacks_does_not_count_as_a_failure() -> None:
    cases = [Case(f"{n}.png", 0, "gs", f"{n}.jpg") for n in range(10)] + [Case("cw.png", 0, "cw", "0.jpg")]
    found = mean_over_attacks([Result(case, 1, 0.0, 0) for case in cases], 1)
    assert found == {"rate": 1.0, "low": 1.0, "high": 1.0}


def test_images_are_read_as_the_attack_read_them_and_loading_is_not_measured(tmp_path: Path) -> None:
    """An image with an orientation, and the same image already turned."""
    image = Image.radial_gradient("L").convert("RGB").crop((0, 0, 256, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "plain.png")
    turned, plain = (
        run_case("jpeg:75", Case(str(tmp_path / name), 7, "clean", name)) for name in ("turned.png", "plain.png")
    )
    assert turned.rank == plain.rank
    assert turned.seconds < 0.2
