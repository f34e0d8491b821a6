"""dp-classify --csv: one line per image, which spreadsheets and dp-eval read."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from dptools.evaluation.csv_records import find_header, read_csv
from dptools.evaluation.hits import hits
from dptools.evaluation.keys import attack_name, method
from dptools.pipe.sample import Sample
from dptools.tools.classify.command import show
from dptools.tools.classify.table import COLUMNS, as_csv

TOP = [{"index": 2, "wnid": "n1", "name": "shark, great white", "p": 0.5}, {"index": 3, "name": "ray", "p": 0.25}]
FULL = {
    "id": "a.jpg@gs",
    "path": "adv/a.png",
    "label": 3,
    "classify": {"model": "net", "top": TOP, "label_rank": 2},
    "attack": {"name": "gs"},
    "denoise": {"method": "dip", "stop": {"criterion": "held-out", "step": 9, "reason": "x"}},
    "suspicion": 0.9,
    "certify": {"radius": 0.25},
}
SERVICE = {
    "id": 'say "hi"\n',
    "path": "b.png",
    "label": 3,
    "classify": {"model": "s", "top": [{"name": "dog", "p": 1.0}], "label_rank": 7},
}
FAILED = {"id": "c", "path": "c.png", "error": {"stage": "dp-denoise", "type": "T", "message": "no, not this"}}
SKIPPED = {"id": "d", "path": "d.png", "label": 1, "skipped": {"stage": "dp-attack", "type": "T", "message": "wrong"}}
ABSTAINED = {
    "id": "f",
    "path": "f.png",
    "label": 2,
    "classify": {"model": "net", "top": TOP, "label_rank": 2},
    "smooth": {"class": None, "abstained": True},
}
UNLABELLED = {"id": "e", "path": "e.png", "classify": {"model": "net", "top": TOP, "label_rank": None}}


def written(*records: dict[str, Any]) -> str:
    stream = io.TextIOWrapper(io.BytesIO())
    emit = as_csv(stream)
    for record in records:
        emit(Sample(record))
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def test_a_line_holds_what_the_record_says() -> None:
    (row,) = csv.DictReader(io.StringIO(written(FULL)))
    assert tuple(row) == COLUMNS
    assert {key: value for key, value in row.items() if value} == {
        "id": "a.jpg@gs",
        "path": "adv/a.png",
        "label": "3",
        "prediction": "2",
        "name": "shark, great white",
        "p": "0.5",
        "label_rank": "2",
        "top": "2|3",
        "suspicion": "0.9",
        "radius": "0.25",
        "attack": "gs",
        "method": "dip held-out",
        "model": "net",
    }


def test_an_abstention_is_no_prediction() -> None:
    rows = list(
        csv.DictReader(io.StringIO(written(ABSTAINED, {**FULL, "certify": {"abstained": True, "radius": 0.0}})))
    )
    for row in rows:
        assert (row["prediction"], row["name"], row["p"], row["top"]) == ("", "", "", "")
        assert (row["label_rank"], row["model"]) == ("2", "net")


def test_the_terminal_shows_the_prediction_of_an_image_that_calibrates() -> None:
    stream = io.StringIO()
    show(stream)(Sample({**UNLABELLED, "suspect": {"detector": "squeezing", "disagreement": 0.5}}))
    assert stream.getvalue().splitlines()[0] == "e.png"


def test_failed_and_skipped_images_have_a_line_and_the_header_comes_once() -> None:
    rows = list(csv.DictReader(io.StringIO(written(FULL, FAILED, SKIPPED))))
    assert [row["error"] for row in rows] == ["", "no, not this", ""]
    assert [row["skipped"] for row in rows] == ["", "", "wrong"]


@pytest.mark.parametrize(
    "record", [FULL, SERVICE, FAILED, SKIPPED, UNLABELLED, ABSTAINED], ids=lambda record: record["id"]
)
def test_dp_eval_reads_the_same_from_the_csv_as_from_the_record(record: dict[str, Any]) -> None:
    first, *others = written(record).splitlines(keepends=True)
    header = find_header(first, "x")
    assert header
    (read,) = read_csv(header, others, "")
    assert hits(read) == hits(record)
    assert (attack_name(read), method(read)) == (attack_name(record), method(record))
    assert ("error" in read, "skipped" in read) == ("error" in record, "skipped" in record)
    assert read["id"].strip() == record["id"].strip()


def test_names_that_are_not_utf_8_stay_different() -> None:
    stream = io.TextIOWrapper(buffer := io.BytesIO())
    emit = as_csv(stream)
    for name in ("b\udcff.png", "b\udcfe.png", "b\ud800.png"):
        emit(Sample({**FULL, "id": name}))
    first, *others = buffer.getvalue().splitlines()
    assert [line.split(b",")[0] for line in others] == [b"b\xff.png", b"b\xfe.png", b"b?.png"]
    header = find_header(first.decode(), "x")
    assert header
    rows = read_csv(header, [line.decode("utf-8", "surrogateescape") for line in others], "")
    assert [row["id"] for row in rows] == ["b\udcff.png@gs", "b\udcfe.png@gs", "b?.png@gs"]


def test_a_pipe_of_csv_gives_the_same_rates_as_a_pipe_of_records(sh: Run, dog: Path) -> None:
    done = sh(
        f"cp {dog} dog.jpg; : > broken.png\n"
        f"dp-classify --label 243 dog.jpg broken.png > records.jsonl 2> errors\n"
        "dp-classify --csv < records.jsonl > table.csv\n"
        "dp-eval records.jsonl > 1.json; dp-eval table.csv > 2.json\n"
        "dp-classify --json --csv dog.jpg"
    )
    assert done.stderr == "dp-classify: --json and --csv exclude each other\n"
    directory = Path(sh("pwd").stdout.strip())
    first, second = (json.loads((directory / name).read_text())["groups"] for name in ("1.json", "2.json"))
    assert first == second
    assert first[0]["after"]["top1"]["k"] == 1
    assert first[0]["failed"] == 1
