"""dp-eval on hostile records: it summarises every record that satisfies the schema, and writes only printable text."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from conftest import Run
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from dptools.pipe.record import parse
from dptools.tools.evaluate.command import app

Record = dict[str, Any]
Eval = Callable[..., str]

NASTY = "\ud800\x1b]0;owned\x07\x1b[31m\n|<b>$x$"
BIG, BIG_INT = 1.7e308, 10**308
FORMATS = ("--json", "--table", "--csv", "--markdown")

LETTERS = st.one_of(st.characters(), st.sampled_from("ab_ ,./\\$|<&\0\n\r\t\x1b\x85\ud800\udcff\u202e\u2028"))
TEXT = st.text(LETTERS, max_size=8)
NUMBER = st.one_of(
    st.integers(-BIG_INT, BIG_INT),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 9, BIG, -BIG]),
)
COUNT = st.one_of(st.integers(0, 200), st.integers(0, BIG_INT), st.sampled_from([50.0, BIG]))
SHARE = st.one_of(st.floats(0, 1), st.sampled_from([0, 1, 5e-324]))
RANK = st.none() | st.integers(1, 7) | st.just(BIG_INT)
OBJECT = st.dictionaries(TEXT, st.recursive(NUMBER | TEXT | st.none(), lambda inner: st.lists(inner, max_size=2)))
NAME = TEXT | st.sampled_from(["gs", "none", "all", "clean", "dip"])
IMAGE = st.sampled_from(["here.png", "small.png", "nowhere.png"]) | TEXT.filter(bool)


def shaped(needed: Record, **more: Any) -> st.SearchStrategy[Record]:
    return st.fixed_dictionaries(needed, optional=more)


ATTACK: Record = {
    "params": OBJECT, "model": TEXT, "success": st.booleans(),
    "clean_label": st.integers(), "clean_p": st.none() | SHARE, "clean_rank": RANK,
    "adversarial_label": st.integers(), "adversarial_p": SHARE, "adversarial_rank": RANK,
    "norms": shaped({}, l2=st.none() | NUMBER, linf_255=st.none() | NUMBER),
}  # fmt: skip
STOP = shaped({"criterion": TEXT, "step": COUNT, "reason": TEXT}, iterations=COUNT)
GATE = st.fixed_dictionaries({"threshold": SHARE, "suspect": st.booleans(), "method": TEXT})
CLASS = shaped({"p": st.none() | SHARE}, index=COUNT, name=TEXT, wnid=TEXT)
POLYGON = st.lists(st.tuples(NUMBER, NUMBER) | st.sampled_from([(0, 0), (9, 0), (0, 9)]), min_size=3, max_size=6)
WORD = shaped({"text": TEXT, "polygon": POLYGON}, confidence=SHARE, angle=NUMBER)
STAGE = shaped(
    {"tool": st.sampled_from(["dp-denoise", "dp-classify"]) | TEXT, "version": TEXT, "params": OBJECT},
    seconds=st.none() | NUMBER.map(abs),
    seed=st.integers(-BIG_INT, BIG_INT),
)
REASON = st.fixed_dictionaries({"stage": TEXT, "type": TEXT, "message": TEXT})
KEYS: Record = {
    "attack": shaped({"name": NAME}, **ATTACK),
    "denoise": shaped({"method": NAME}, passes=st.integers(1, BIG_INT), stop=STOP, gate=GATE),
    "classify": shaped({"model": TEXT, "top": st.lists(CLASS, max_size=3)}, label_rank=RANK),
    "mapsext": shaped({"rule": TEXT}, reader=TEXT, words=st.lists(WORD, max_size=4)),
    "suspicion": st.none() | SHARE,
    "stages": st.lists(STAGE, max_size=3),
}
OTHER: Record = {
    "source": IMAGE | st.just(""), "label": st.none() | COUNT | TEXT, "skipped": REASON, "error": REASON,
    "suspect": shaped({"detector": TEXT}, label_rank=RANK), "unknown": OBJECT,
}  # fmt: skip
IDENTITY = {"id": TEXT.filter(bool) | st.sampled_from(["map.png", "../x", "/", "y" * 300]), "path": IMAGE}


def several(record: st.SearchStrategy[Record], max_size: int) -> st.SearchStrategy[list[Record]]:
    """Return a strategy for lists of records with distinct ids, which --compare requires."""
    return st.lists(record, min_size=1, max_size=max_size, unique_by=lambda each: each["id"])


RECORDS = several(shaped(IDENTITY, **KEYS, **OTHER), 4)
FULL_RECORDS = several(shaped({**IDENTITY, **KEYS}, label=TEXT, source=IMAGE), 3)
BY = st.sampled_from(["attack", "method", "id", "label", "unknown", "denoise.stop.criterion", NASTY])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a directory with images and the ground truth of a map."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), "white").save("here.png")
    Image.new("RGB", (7, 9), "red").save("small.png")
    Path("truth").mkdir()
    Path("truth/map.geojson").write_text(json.dumps({"features": [feature([[0, 0], [9, 0], [9, -9], [0, 0]])]}))
    return tmp_path


def feature(ring: Any) -> Record:
    return {"properties": {"text": "a"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def write(name: str, records: Sequence[Record]) -> str:
    Path(name).write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return name


def evaluate(*arguments: str) -> tuple[str, str]:
    """Return the standard output and standard error of dp-eval, after checking that both are printable UTF-8."""
    done = CliRunner().invoke(app, ["in.jsonl", *arguments], catch_exceptions=False)
    out, err = done.stdout_bytes.decode(), done.stderr_bytes.decode()
    assert done.exit_code in (0, 1), err
    assert is_printable(out + err)
    return out, err


def is_printable(text: str) -> bool:
    """Return whether a text has no control characters but newlines."""
    return all(line.isprintable() for line in text.split("\n"))


def refuse_constant(name: str) -> NoReturn:
    raise AssertionError(name)


SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # every example overwrites the files


@settings(max_examples=80, suppress_health_check=SUPPRESSED)
@given(RECORDS, RECORDS, BY)
def test_every_record_that_satisfies_the_schema_is_counted(
    here: Path, records: list[Record], others: list[Record], by: str
) -> None:
    for record in [*records, *others]:
        parse(json.dumps(record))
    write("in.jsonl", records)
    options = ["--by", by, "--compare", write("others.jsonl", others)]
    for output_format in FORMATS:
        out, _ = evaluate(output_format, *options, *([] if output_format == "--csv" else ["--maps", "truth"]))
        if output_format == "--json":
            summary = json.loads(out, parse_constant=refuse_constant)
            assert sum(group["records"] for group in summary["groups"] if group["name"] != "all") <= len(records)


@settings(max_examples=3, suppress_health_check=SUPPRESSED, phases=[Phase.explicit, Phase.generate])
@given(FULL_RECORDS)
def test_every_record_that_satisfies_the_schema_is_drawn(here: Path, records: list[Record]) -> None:
    write("in.jsonl", records)
    write("trace.jsonl", [point(record["id"], record["attack"]["name"], 9) for record in records])
    evaluate("--attacked", "in.jsonl", "--trace", "trace.jsonl", "--figures", "out", "--report", "r.html")
    assert is_printable(Path("r.html").read_text("utf-8"))


def point(name: str, attack: str, iteration: int) -> Record:
    return {"id": name, "attack": attack, "iteration": iteration, "label_rank": 1}


def hostile(**more: Any) -> Record:
    """Return a record in which every text is nasty and every number is large."""
    top = [{"name": NASTY, "index": BIG_INT, "p": 1}, {"name": "x" * 10**6, "p": None}]
    norms = {"l2": BIG, "linf_255": BIG_INT}
    attacked = {
        "name": NASTY,
        "model": NASTY,
        "success": True,
        "clean_rank": BIG_INT,
        "clean_label": -BIG_INT,
        "norms": norms,
    }
    stop = {"criterion": NASTY, "step": BIG_INT, "reason": NASTY}
    entry = {"tool": "dp-denoise", "version": NASTY, "params": {NASTY: NASTY}, "seed": BIG_INT}
    return {
        "id": NASTY, "path": "here.png", "source": "here.png", "label": NASTY, "suspicion": 1, "attack": attacked,
        "denoise": {"method": NASTY, "stop": stop},
        "stages": [{**entry, "seconds": seconds} for seconds in (BIG_INT, BIG_INT, BIG, BIG)],
        "classify": {"model": NASTY, "top": top, "label_rank": BIG_INT}, **more,
    }  # fmt: skip


def mapped(name: str, **more: Any) -> Record:
    words = [
        {"text": NASTY, "polygon": [[0, 0], [9, 0], [9, 9]]},
        {"text": "", "polygon": [[BIG, BIG_INT]] * 3},
    ]
    mapsext = {"rule": NASTY, "reader": NASTY, "words": words, **more}
    return {"id": name, "path": "here.png", "source": "here.png", "mapsext": mapsext}


def test_hostile_texts_and_numbers_are_harmless_in_figures_and_in_the_report(here: Path) -> None:
    clean = hostile(id="clean", denoise={"method": "_"})
    write("in.jsonl", [hostile(), {key: clean[key] for key in clean if key != "attack"}, mapped("map.png")])
    write("trace.jsonl", [point("a", NASTY, 10**9 - 1)])
    evaluate("--attacked", "in.jsonl", "--trace", "trace.jsonl", "--figures", "out", "--report", "r.html")
    drawn = {path.stem for path in Path("out").iterdir()}
    assert drawn == {"accuracy", "methods", "roc", "termination", "errors", "course", "images", "maps", "probabilities"}
    html = Path("r.html").read_text("utf-8")
    assert is_printable(html)
    assert "<b>" not in html
    assert r"\ud800" in html


RING = [[0, 0], [9, 0], [9, -9], [0, 0]]


@pytest.mark.parametrize("number", ["9" * 400, "1e999", "1e300", "NaN"])
def test_ground_truth_with_out_of_range_numbers_is_reported(here: Path, number: str) -> None:
    text = json.dumps({"features": [feature([["?", 1], *RING, ["?", 1]])]}).replace('"?"', number)
    Path("truth/map.geojson").write_text(text)
    write("in.jsonl", [mapped("map.png"), mapped("map.png")])
    out, err = evaluate("--maps", "truth", "--json")
    assert err.count("\n") == 3  # a note on the repeated id, and one line for each map
    assert "map: not scored: truth/map.geojson: " in err
    assert json.loads(out)["maps"] == {"words": [], "maptext_detection": [], "maptext_reading": [], "masks": []}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("y" * 300, "File name too long"),
        ("\ud800", "cannot be a file name"),
        ("a\0b", "cannot be a file name"),
    ],
)
def test_an_id_that_cannot_be_a_file_name_is_reported_and_the_next_map_is_scored(
    here: Path, name: str, reason: str
) -> None:
    write("in.jsonl", [mapped(name), mapped("map.png")])
    out, err = evaluate("--maps", "truth", "--json")
    assert err.count("\n") == 1
    assert reason in err
    assert [score["map"] for score in json.loads(out)["maps"]["words"]] == ["map"]


@pytest.mark.parametrize("output_format", ["--table", "--markdown"])
def test_names_of_mask_methods_and_readers_are_printable(here: Path, output_format: str) -> None:
    write("in.jsonl", [mapped("map.png")])
    out, _ = evaluate("--maps", "truth", output_format)
    assert out.count(r"\ud800\x1b]0;owned\x07\x1b[31m\n") == 3


def test_a_full_disk_is_a_write_error_and_a_closed_pipe_is_not(sh: Run, here: Path) -> None:
    write("in.jsonl", [hostile()])
    for output_format in FORMATS:
        done = sh(f"dp-eval {output_format} in.jsonl > /dev/full")
        assert (done.returncode, done.stderr) == (3, "dp-eval: write error: No space left on device\n")
    done = sh("dp-eval in.jsonl | head -0; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_out_of_range_seconds_are_ignored(here: Path) -> None:
    write("in.jsonl", [hostile(), hostile(id="b")])
    out, _ = evaluate("--table")
    rows = [line.split() for line in out.splitlines() if line.startswith("everything")]
    assert [row[-1] for row in rows] == ["-"]
    assert "inf" not in out
