"""What dp-denoise tells of the fit: traces, images on the way, and the stop that knows the answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

COLD = "--preset cold --stop fixed:6 --every 2"


@pytest.fixture
def attacked(dog: Path, sh: Run, tmp_path: Path) -> Path:
    """The records of two attacked images."""
    done = sh(f"dp-attack -a gs -a deepfool --label 243 {dog} -o adv > adv.jsonl")
    assert done.returncode == 0
    return tmp_path / "adv.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_trace_has_a_line_for_each_look_in_the_order_of_the_records(attacked: Path, sh: Run) -> None:
    command = f"dp-denoise {COLD} --trace t.jsonl --model efficientnet-lite0 -o out -j 2 < adv.jsonl > out.jsonl"
    done = sh(command)
    assert (done.returncode, done.stderr) == (0, "")
    here = attacked.parent
    trace = lines(here / "t.jsonl")
    assert [(point["attack"], point["iteration"]) for point in trace] == [
        (attack, step) for attack in ("gs", "deepfool") for step in (2, 4, 6)
    ]
    assert [point["id"] for point in trace[::3]] == [record["id"] for record in lines(attacked)]
    assert trace[0]["loss"] > 0
    assert 0 < trace[0]["psnr_input"] < 60
    assert (trace[0]["label"], len(trace[0]["top"])) == (243, 5)
    assert {"label_rank", "label_p", "adversarial_rank", "adversarial_p"} <= set(trace[0])
    assert all("trace" not in record["denoise"] for record in lines(here / "out.jsonl"))

    done = sh("dp-classify out")
    assert all("trace" not in json.loads(line)["denoise"] for line in done.stdout.splitlines())

    before = (here / "t.jsonl").read_bytes()
    assert sh(command).returncode == 0
    assert all(record["cached"] for record in lines(here / "out.jsonl"))
    assert (here / "t.jsonl").read_bytes() == before


def test_a_run_that_cannot_start_leaves_the_last_trace_alone(dog: Path, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("as it was\n")
    assert sh(f"dp-denoise --trace t.jsonl --model nosuch {dog} -o out").returncode != 0
    assert (tmp_path / "t.jsonl").read_text() == "as it was\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".t")] == []
    done = sh(
        f"mkfifo pipe; (cat pipe > got.jsonl) & dp-denoise --trace pipe {dog} -o out > out.jsonl; wait; wc -l got.jsonl"
    )
    assert done.stdout.split() == ["1", "got.jsonl"]


def test_a_short_fit_is_looked_at_in_its_last_iteration(dog: Path, sh: Run, tmp_path: Path) -> None:
    assert sh(f"dp-denoise --trace t.jsonl {dog} -o out").returncode == 0
    assert [point["iteration"] for point in lines(tmp_path / "t.jsonl")] == [8]


@pytest.mark.slow
def test_images_on_the_way_are_kept_with_their_records(attacked: Path, sh: Run) -> None:
    done = sh(f"dp-denoise {COLD} --keep way -o out < adv.jsonl > out.jsonl; dp-classify way | wc -l; find way | sort")
    assert done.stderr == ""
    count, *found = done.stdout.split()
    assert int(count) == 6
    assert found[1:4] == [f"way/imagenet_00_243@deepfool@step000{step}.png" for step in (2, 4, 6)]
    done = sh("dp-classify way | head -n 1")
    record = json.loads(done.stdout)
    assert (record["id"], record["label"]) == ("imagenet_00_243@deepfool@step0002.png", 243)
    assert record["denoise"]["iteration"] == 2


@pytest.mark.slow
def test_the_oracle_stops_when_the_label_is_found(attacked: Path, sh: Run) -> None:
    options = "--preset cold --stop oracle --iterations 200 --model efficientnet-lite0"
    done = sh(f"dp-denoise {options} -o out < adv.jsonl > out.jsonl; dp-classify < out.jsonl")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    stops = [record["denoise"]["stop"] for record in records]
    assert {stop["rule"] for stop in stops} == {"oracle"}
    assert all(stop["step"] % 50 == 0 for stop in stops)
    for record in records:
        top = [found["index"] for found in record["classify"]["top"]]
        right = record["label"] in top and record["attack"]["adversarial_label"] not in top
        assert right == (record["denoise"]["stop"]["reason"] == "true label found")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--preset cold --stop oracle", "--stop oracle asks a classifier: name it with --model"),
        ("--model efficientnet-lite0", "--model is for --stop oracle, --trace or --keep"),
        ("--method median:3 --trace t.jsonl", "--trace is for the prior"),
        ("--tile 9", "--tile 9: tiles have 64 pixels or more a side"),
        ("--label 3", "--weights, --endpoint, --timeout and --label are for the classifier that --model names"),
        ("--method median:3 --tile 64", "--tile is for the prior"),
        ("--trace no/t.jsonl --preset cold --stop fixed:1", "no/t.jsonl: No such file or directory"),
        ("--trace t.jsonl --every 0", "--every"),
    ],
)
def test_what_makes_no_sense_is_said(options: str, complaint: str, dog: Path, sh: Run) -> None:
    done = sh(f"dp-denoise {options} {dog} -o out")
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1 or "--every" in complaint


@pytest.mark.slow
def test_another_label_is_another_restoration(dog: Path, sh: Run) -> None:
    options = "--preset cold --stop oracle --iterations 1 --model efficientnet-lite0"
    done = sh(f"for label in 1 243 243; do dp-denoise {options} --label $label {dog} -o out; done")
    assert ["cached" in json.loads(line) for line in done.stdout.splitlines()] == [False, False, True]


def test_without_a_label_the_oracle_fails_that_image_alone(dog: Path, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "loose.jpg").write_bytes(dog.read_bytes())
    options = "--preset cold --stop oracle --iterations 1 --model efficientnet-lite0"
    done = sh(f"dp-denoise {options} loose.jpg {dog} -o out")
    assert done.returncode == 1
    assert "loose.jpg: the oracle needs a true label" in done.stderr
    assert ["error" in json.loads(line) for line in done.stdout.splitlines()] == [True, False]


def test_what_is_done_in_tiles_is_not_looked_at(dog: Path, sh: Run) -> None:
    done = sh(f"dp-denoise --preset cold --stop fixed:1 --tile 100 --trace t.jsonl {dog} -o out")
    assert done.returncode == 1
    assert "done in tiles of 100 pixels" in done.stderr
    done = sh(f"dp-denoise --preset cold --stop fixed:1 --tile 300 {dog} -o out")
    assert json.loads(done.stdout)["denoise"]["stop"]["tiles"] == 4
