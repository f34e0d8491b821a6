"""Notes of dp-eval about options without effect and about records that occur more than once."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

LINE = json.dumps({"id": "a.jpg", "label": 1, "classify": {"top": [{"index": 1}]}})
OTHER = LINE.replace("a.jpg", "b.jpg")
FAILED = json.dumps({"id": "c.jpg", "error": {"stage": "dp-attack", "type": "X", "message": "x"}})


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ("", ""),
        ("--gate 0.95", "--gate 0.95 has no effect: no record has a suspicion; dp-classify --suspect adds it"),
        ("--maps truth", "--maps truth has no effect: no record is of a map of dp-mapsext"),
        ("records", "2 ids occur more than once with the same result: n counts each record; the intervals take this"),
    ],
)
def test_a_note_says_what_has_no_effect(options: str, note: str, in_process: Run, tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "records").write_text(f"{LINE}\n{OTHER}\n")
    done = in_process(f"dp-eval records {options}")
    assert done.returncode == 0
    assert note in done.stderr
    assert bool(note) == bool(done.stderr)


def _table(in_process: Run, tmp_path: Path, *lines: str) -> tuple[Any, str]:
    (tmp_path / "records").write_text("\n".join(lines))
    done = in_process("dp-eval records")
    (group,) = json.loads(done.stdout)["groups"]
    return group["after"]["top1"], done.stderr


def test_repeated_records_do_not_narrow_the_interval(in_process: Run, tmp_path: Path) -> None:
    once, _ = _table(in_process, tmp_path, LINE, OTHER)
    twice, note = _table(in_process, tmp_path, *[LINE, OTHER] * 2)
    assert (once["n"], twice["n"]) == (2, 4)
    assert twice["low"] == pytest.approx(once["low"])
    assert "2 ids occur more than once" in note


def test_results_that_differ_and_failures_are_no_repetition(in_process: Run, tmp_path: Path) -> None:
    attacked = json.dumps({**json.loads(LINE), "attack": {"name": "pgd", "epsilon": 0.1, "success": True}})
    (tmp_path / "records").write_text("\n".join([LINE, attacked, attacked.replace("0.1", "0.2"), FAILED, FAILED]))
    assert "more than once" not in in_process("dp-eval records").stderr


def test_a_wrong_file_does_not_flood_the_terminal(in_process: Run, tmp_path: Path) -> None:
    (tmp_path / "records").write_text('{"epoch": 1}\n' * 1000)
    done = in_process("dp-eval records")
    *first, last = done.stderr.splitlines()
    assert (done.returncode, len(first)) == (1, 20)
    assert first[19] == "dp-eval: records: line 20: record without id or path"
    assert last == "dp-eval: 980 more problems with records"
