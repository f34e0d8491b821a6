"""The benchmarks: they measure again after their settings change, and read the records of each other."""

import sys
from pathlib import Path

import pytest
import torch
from gates import PATIENCE
from PIL import Image

sys.path.extend([str(Path(__file__).parent / name) for name in ("benchmarks", "gpu")])  # the scripts import one another
from paper import curves, facts, point
from paper_report import loss_threshold, oracle, record, trace
from restore import Case, Result, mean_over_attacks, run_case
from runs import alive, children, started, wait_until
from universality import METHODS, is_recorded, run_once

from dptools.purifiers.method import FITS, NETWORK_METHODS


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


@pytest.mark.parametrize("end", ["exit 2", "kill -9 $$"])
def test_a_tool_that_fails_leaves_no_records(tmp_path: Path, end: str) -> None:
    command = ["sh", "-c", f"echo record; {end}"]
    with pytest.raises(SystemExit, match="run: sh failed"):
        run_once(command, tmp_path / "run.jsonl")
    assert not is_recorded(command, tmp_path / "run.jsonl")


def test_the_comparison_of_methods_leaves_out_only_the_slow_ones() -> None:
    assert {*NETWORK_METHODS} - {*METHODS} == {*FITS}


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


def test_the_report_of_the_paper_reads_what_the_gpu_writes() -> None:
    job = {"id": "a@gs", "image": "a", "attack": "gs", "label": 2, "adversarial": 1, "success": True, "file": "a.png"}
    scores = torch.arange(12, 0, -1).float()
    unsure, sure = scores.softmax(0), scores[[11, 10, 0, *range(1, 10)]].softmax(0)
    points = [point(50 * n, unsure if n < 3 else sure, job) for n in range(1, 61)]
    errors = torch.full((3000, 4), 0.1)
    errors[120:] = 0.001
    fit = {**facts(job), "points": points, "curves": curves(errors)}
    assert (oracle(fit), loss_threshold(fit)) == (150, 150)
    assert (points[0]["label_rank"], points[0]["adversarial_rank"], points[2]["label_rank"]) == (3, 2, 1)
    assert record(fit, "oracle")["classify"]["label_rank"] == 1
    assert [line["iteration"] for line in trace(fit, 150)] == [50, 100, 150]
    assert "file" not in fit


PROGRAM = """
import sys, time
sys.path[:0] = [{benchmarks!r}]
from processes import process_pool, run_tool

def main():
    if {tool}:
        run_tool(["sleep", "600"])
    with process_pool(2) as workers:
        list(workers.map(time.sleep, [60, 60]))

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("tool", [True, False])
def test_no_process_outlives_a_benchmark_that_is_killed(tmp_path: Path, tool: bool) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(benchmarks=str(Path(__file__).parent / "benchmarks"), tool=tool))
    with started([sys.executable, program]) as run:
        assert wait_until(lambda: len(children(run.pid)) == 2 - tool, PATIENCE)
        found = children(run.pid)
        run.terminate()
    assert run.returncode
    assert wait_until(lambda: not any(map(alive, found)), PATIENCE)
