"""The estimate and the progress of the fits of `make paper`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.paper_cost import Fit, Progress, duration, parse, planned
from conftest import Run

SCRIPT = Path(__file__).parent / "benchmarks/paper_cost.py"
CRITERIA = ["oracle", "fixed:2", "loss:0_5"]


def line(command: str, folder: Path, *options: str) -> list[str]:
    """Return the arguments of the script."""
    given = ["--images", str(folder / "images"), "--criteria", *CRITERIA, "--steps", "2", "--limit", "3", "--jobs", "1"]
    return [command, str(folder), *given, *options]


def cost(arguments: list[str], records: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the script."""
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], input=records, capture_output=True, text=True, check=False
    )


def test_the_estimate_before_the_attacks_counts_each_attack_of_each_image(
    tmp_path: Path, picture: Callable[..., Path]
) -> None:
    for name in ("n01/a.png", "n02/b.jpg"):
        picture(tmp_path / "images" / name)
    (tmp_path / "images/notes.txt").touch()
    done = cost(line("estimate", tmp_path, "--clean", "--attacks", "all"))
    assert "fits: 16 of attacked images and 2 of clean images\nalready done, will be reused: 0" in done.stderr
    assert "2 to 3 steps per fit" in done.stderr
    assert re.search(r"left: 18 fits, at most [\d.]+ (seconds|minutes) to [\d.]+ (seconds|minutes)", done.stderr)
    assert done.returncode == 0, done.stderr


def test_fits_of_an_earlier_run_count_as_done_if_their_limit_was_the_same(
    sh: Run, tmp_path: Path, picture: Callable[..., Path]
) -> None:
    paths = [picture(tmp_path / f"images/n01/{name}.png", (32, 32)) for name in "ab"]
    skipped = {"schema": 2, "id": "n01/c.png@gs", "path": "c.png", "skipped": "misclassified"}
    records = [{"schema": 2, "id": f"n01/{path.name}@gs", "path": str(path), "label": 1} for path in paths]
    (tmp_path / "attacked.jsonl").write_text("".join(json.dumps(record) + "\n" for record in [*records, skipped]))
    fit = "dp-denoise --method dip --iterations 3 --stop fixed:2 --stop loss:0.5 -o images/fits"
    made = sh(f"head -n 1 attacked.jsonl | {fit}")
    assert made.returncode == 0, made.stderr
    outputs = tmp_path / "images/fits/n01"
    os.link(outputs / "a@gs@fixed:2.png", outputs / "a@gs@oracle.png")  # the oracle would need a classifier
    fits = planned(parse(line("estimate", tmp_path)))
    assert [(fit.id, fit.attacked, fit.done) for fit in fits] == [
        ("n01/a.png@gs", True, True),
        ("n01/b.png@gs", True, False),
    ]
    assert not any(fit.done for fit in planned(parse(line("estimate", tmp_path, "--limit", "4"))))
    told = cost(line("progress", tmp_path), records=made.stdout.replace("a.png@gs", "b.png@gs"))
    assert told.stdout.count("\n") == 2
    assert told.stderr == "fits: 1 of 2 done\nfits: 2 of 2 done\n"


def test_the_time_left_depends_on_the_sizes_of_the_computed_images() -> None:
    fits = [Fit("a@gs", 100, True), Fit("b@gs", 100, True), Fit("a", 400, False)]
    tally = Progress({fit.id: fit for fit in fits}, 4, CRITERIA)
    tally.start -= 10
    assert tally.add({"id": "a@gs@fixed:2"}) == "fits: 2 of 4 done, about 50 seconds left"
    assert tally.add({"id": "a@gs@oracle"}) is None  # another output of the same fit
    assert tally.add({"id": "c@gs", "skipped": "misclassified"}) is None


def test_reused_fits_do_not_affect_the_pace() -> None:
    tally = Progress({name: Fit(name, 100, True) for name in "abc"}, 3, CRITERIA)
    tally.start -= 1000
    assert tally.add({"id": "a@oracle", "cached": True}) == "fits: 1 of 3 done"
    assert tally.add({"id": "b@oracle"}) == "fits: 2 of 3 done, about 0 seconds left"


def test_durations_are_in_a_unit_that_suits_them() -> None:
    assert [duration(seconds) for seconds in (3.2, 300, 90000)] == ["3 seconds", "5.0 minutes", "25.0 hours"]


def test_an_error_is_not_status_1_which_means_that_a_record_failed(tmp_path: Path) -> None:
    (tmp_path / "attacked.jsonl").write_text("no json\n")
    assert cost(line("progress", tmp_path)).returncode == 2
