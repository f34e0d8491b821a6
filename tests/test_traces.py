"""Traces of fits, intermediate images and the oracle, as a user of dp-denoise sees them."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

FIT = "--method dip --stop fixed:6 --every 2"
ORACLE = "--method dip --stop oracle --model efficientnet-lite0"


@pytest.fixture
def attacked(dog: Path, sh: Run, tmp_path: Path) -> Path:
    """Return a file with the records of two attacked images."""
    done = sh(f"dp-attack -a gs -a deepfool --label 243 {dog} -o adv > adv.jsonl")
    assert done.returncode == 0
    return tmp_path / "adv.jsonl"


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_trace_has_a_line_for_each_checkpoint_in_the_order_of_the_records(attacked: Path, sh: Run) -> None:
    command = f"dp-denoise {FIT} --trace t.jsonl --model efficientnet-lite0 -o out -j 2 < adv.jsonl > out.jsonl"
    done = sh(command)
    assert (done.returncode, done.stderr) == (0, "")
    directory = attacked.parent
    trace = read_lines(directory / "t.jsonl")
    assert [(point["attack"], point["iteration"]) for point in trace] == [
        (attack, step) for attack in ("gs", "deepfool") for step in (2, 4, 6)
    ]
    assert [point["id"] for point in trace[::3]] == [record["id"] for record in read_lines(attacked)]
    assert trace[0]["loss"] > 0
    assert 0 < trace[0]["psnr_input"] < 60
    assert (trace[0]["label"], len(trace[0]["top"])) == (243, 5)
    assert {"label_rank", "label_p", "adversarial_rank", "adversarial_p"} <= set(trace[0])
    assert all("trace" not in record["denoise"] for record in read_lines(directory / "out.jsonl"))

    done = sh("dp-classify out")
    assert all("trace" not in json.loads(line)["denoise"] for line in done.stdout.splitlines())

    before = (directory / "t.jsonl").read_bytes()
    assert sh(command).returncode == 0
    assert all(record["cached"] for record in read_lines(directory / "out.jsonl"))
    assert (directory / "t.jsonl").read_bytes() == before


def test_a_run_that_cannot_start_keeps_the_previous_trace(dog: Path, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("previous\n")
    assert sh(f"dp-denoise {FIT} --trace t.jsonl --model nosuch {dog} -o out").returncode != 0
    assert (tmp_path / "t.jsonl").read_text() == "previous\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".t")] == []


def test_a_trace_can_be_written_to_a_named_pipe(dog: Path, sh: Run) -> None:
    done = sh(
        "mkfifo pipe; (cat pipe > trace.jsonl) &"
        f" dp-denoise --method dip --stop fixed:2 --trace pipe {dog} -o out > out.jsonl; wait; wc -l trace.jsonl"
    )
    assert done.stdout.split() == ["1", "trace.jsonl"]


def test_a_fit_shorter_than_the_interval_has_a_checkpoint_at_its_last_iteration(
    dog: Path, sh: Run, tmp_path: Path
) -> None:
    assert sh(f"dp-denoise --method dip --stop fixed:3 --trace t.jsonl {dog} -o out").returncode == 0
    assert [point["iteration"] for point in read_lines(tmp_path / "t.jsonl")] == [3]


@pytest.mark.slow
def test_intermediate_images_are_kept_with_their_records(attacked: Path, sh: Run) -> None:
    done = sh(f"dp-denoise {FIT} --keep steps -o out < adv.jsonl > out.jsonl; dp-classify steps | wc -l")
    assert (done.stderr, int(done.stdout)) == ("", 6)
    files = sh("find steps | sort").stdout.split()
    assert files[1:4] == [f"steps/imagenet_00_243@deepfool@step000{step}.png" for step in (2, 4, 6)]
    done = sh("dp-classify steps | head -n 1")
    record = json.loads(done.stdout)
    assert (record["id"], record["label"]) == ("imagenet_00_243@deepfool@step0002.png", 243)
    assert record["denoise"]["iteration"] == 2


@pytest.mark.slow
def test_the_oracle_stops_when_the_label_is_found(attacked: Path, sh: Run) -> None:
    done = sh(f"dp-denoise {ORACLE} --iterations 200 -o out < adv.jsonl > out.jsonl; dp-classify < out.jsonl")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    stops = [record["denoise"]["stop"] for record in records]
    assert {stop["criterion"] for stop in stops} == {"oracle"}
    assert all(stop["step"] % 50 == 0 for stop in stops)
    for record in records:
        top = [entry["index"] for entry in record["classify"]["top"]]
        correct = record["label"] in top and record["attack"]["adversarial_label"] not in top
        assert correct == (record["denoise"]["stop"]["reason"] == "true label found")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method dip --stop oracle", "--stop oracle needs a classifier: add --model NAME"),
        ("--method dip --model efficientnet-lite0", "--model has no effect without --stop oracle, --trace or --keep"),
        ("--method median:3 --trace t.jsonl", "--trace requires a deep image prior"),
        ("--trace t.jsonl", "--trace requires a deep image prior"),
        ("--tile 9", "--tile 9: the smallest tile is 64 pixels"),
        ("--label 3", "--timeout and --label need a classifier: add --model NAME"),
        ("--method median:3 --tile 64", "--tile requires a method with a network"),
        ("--trace no/t.jsonl --method dip --stop fixed:1", "no/t.jsonl: No such file or directory"),
        ("--method dip --trace t.jsonl --every 0", "--every"),
    ],
)
def test_options_that_do_not_go_together_are_rejected(options: str, message: str, dog: Path, in_process: Run) -> None:
    done = in_process(f"dp-denoise {options} {dog} -o out")
    assert done.returncode == (3 if "No such file" in message else 2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1 or "--every" in message


@pytest.mark.slow
def test_another_label_makes_the_image_again(dog: Path, sh: Run) -> None:
    done = sh(f"for label in 1 243 243; do dp-denoise {ORACLE} --iterations 1 --label $label {dog} -o out; done")
    assert ["cached" in json.loads(line) for line in done.stdout.splitlines()] == [False, False, True]


def test_the_oracle_fails_only_the_image_without_a_label(dog: Path, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "loose.jpg").write_bytes(dog.read_bytes())
    done = sh(f"dp-denoise {ORACLE} --iterations 1 loose.jpg {dog} -o out")
    assert done.returncode == 1
    assert "loose.jpg: the oracle needs a true label" in done.stderr
    assert ["error" in json.loads(line) for line in done.stdout.splitlines()] == [True, False]


def test_an_image_fitted_in_tiles_cannot_be_traced(dog: Path, sh: Run) -> None:
    done = sh(f"dp-denoise --method dip --stop fixed:1 --tile 100 --trace t.jsonl {dog} -o out")
    assert done.returncode == 1
    assert "in tiles of 100 pixels" in done.stderr
    done = sh(f"dp-denoise --method dip --stop fixed:1 --tile 300 {dog} -o out")
    assert json.loads(done.stdout)["denoise"]["stop"]["tiles"] == 4
