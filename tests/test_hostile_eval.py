"""Records that mean harm, through dp-eval: whatever the schema lets pass is counted, and drives no terminal."""

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
BIG, WHOLE = 1.7e308, 10**308
FORMS = ("--json", "--table", "--csv", "--markdown")

LETTERS = st.one_of(st.characters(), st.sampled_from("ab_ ,./\\$|<&\0\n\r\t\x1b\x85\ud800\udcff\u202e\u2028"))
TEXT = st.text(LETTERS, max_size=8)
NUMBER = st.one_of(
    st.integers(-WHOLE, WHOLE), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, 9, BIG, -BIG])
)
COUNT = st.one_of(st.integers(0, 200), st.integers(0, WHOLE), st.sampled_from([50.0, BIG]))
SHARE = st.one_of(st.floats(0, 1), st.sampled_from([0, 1, 5e-324]))
RANK = st.none() | st.integers(1, 7) | st.just(WHOLE)
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
STOP = shaped({"rule": TEXT, "step": COUNT, "reason": TEXT}, iterations=COUNT)
GATE = st.fixed_dictionaries({"threshold": SHARE, "suspect": st.booleans(), "method": TEXT})
CLASS = shaped({"p": st.none() | SHARE}, index=COUNT, name=TEXT, wnid=TEXT)
POLYGON = st.lists(st.tuples(NUMBER, NUMBER) | st.sampled_from([(0, 0), (9, 0), (0, 9)]), min_size=3, max_size=6)
WORD = shaped({"text": TEXT, "polygon": POLYGON}, confidence=SHARE, angle=NUMBER)
STAGE = shaped(
    {"tool": st.sampled_from(["dp-denoise", "dp-classify"]) | TEXT, "version": TEXT, "params": OBJECT},
    seconds=st.none() | NUMBER.map(abs),
    seed=st.integers(-WHOLE, WHOLE),
)
REASON = st.fixed_dictionaries({"stage": TEXT, "type": TEXT, "message": TEXT})
KEYS: Record = {
    "attack": shaped({"name": NAME}, **ATTACK),
    "denoise": shaped({"method": NAME}, preset=TEXT, stop=STOP, gate=GATE),
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


def several(record: st.SearchStrategy[Record], most: int) -> st.SearchStrategy[list[Record]]:
    """Records that another file can be compared with: no id stands twice."""
    return st.lists(record, min_size=1, max_size=most, unique_by=lambda each: each["id"])


RECORDS = several(shaped(IDENTITY, **KEYS, **OTHER), 4)
WHOLE_RECORDS = several(shaped({**IDENTITY, **KEYS}, label=TEXT, source=IMAGE), 3)
BY = st.sampled_from(["attack", "method", "id", "label", "unknown", "denoise.stop.rule", NASTY])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where images lie, and what stands on a map."""
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
    """What dp-eval writes to its standard output and error; neither is anything but UTF-8 on lines."""
    done = CliRunner().invoke(app, ["in.jsonl", *arguments], catch_exceptions=False)
    out, err = done.stdout_bytes.decode(), done.stderr_bytes.decode()
    assert done.exit_code in (0, 1), err
    assert shown(out + err)
    return out, err


def shown(text: str) -> bool:
    """No letter of it drives a terminal."""
    return all(line.isprintable() for line in text.split("\n"))


def refused(name: str) -> NoReturn:
    raise AssertionError(name)


HERE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # files are written over, each time


@settings(max_examples=80, deadline=None, suppress_health_check=HERE)
@given(RECORDS, RECORDS, BY)
def test_whatever_the_schema_lets_pass_is_counted(
    here: Path, records: list[Record], others: list[Record], by: str
) -> None:
    for record in [*records, *others]:
        parse(json.dumps(record))
    write("in.jsonl", records)
    beside = ["--by", by, "--compare", write("others.jsonl", others)]
    for form in FORMS:
        out, _ = evaluate(form, *beside, *([] if form == "--csv" else ["--maps", "truth"]))
        if form == "--json":
            found = json.loads(out, parse_constant=refused)
            assert sum(group["records"] for group in found["groups"] if group["name"] != "all") <= len(records)


@settings(max_examples=3, deadline=None, suppress_health_check=HERE, phases=[Phase.explicit, Phase.generate])
@given(WHOLE_RECORDS)
def test_whatever_the_schema_lets_pass_is_drawn(here: Path, records: list[Record]) -> None:
    write("in.jsonl", records)
    write("trace.jsonl", [point(record["id"], record["attack"]["name"], 9) for record in records])
    evaluate("--attacked", "in.jsonl", "--trace", "trace.jsonl", "--figures", "out", "--report", "r.html")
    assert shown(Path("r.html").read_text("utf-8"))


def point(name: str, attack: str, iteration: int) -> Record:
    return {"id": name, "attack": attack, "iteration": iteration, "label_rank": 1}


def hostile(**more: Any) -> Record:
    """A record whose every text is nasty, and whose every number is large."""
    top = [{"name": NASTY, "index": WHOLE, "p": 1}, {"name": "x" * 10**6, "p": None}]
    norms = {"l2": BIG, "linf_255": WHOLE}
    tried = {"name": NASTY, "model": NASTY, "success": True, "clean_rank": WHOLE, "clean_label": -WHOLE, "norms": norms}
    stop = {"rule": NASTY, "step": WHOLE, "reason": NASTY}
    entry = {"tool": "dp-denoise", "version": NASTY, "params": {NASTY: NASTY}, "seed": WHOLE}
    return {
        "id": NASTY, "path": "here.png", "source": "here.png", "label": NASTY, "suspicion": 1, "attack": tried,
        "denoise": {"method": "dip", "preset": NASTY, "stop": stop},
        "stages": [{**entry, "seconds": seconds} for seconds in (WHOLE, WHOLE, BIG, BIG)],
        "classify": {"model": NASTY, "top": top, "label_rank": WHOLE}, **more,
    }  # fmt: skip


def mapped(name: str, **more: Any) -> Record:
    words = [{"text": NASTY, "polygon": [[0, 0], [9, 0], [9, 9]]}, {"text": "", "polygon": [[BIG, WHOLE]] * 3}]
    found = {"rule": NASTY, "reader": NASTY, "words": words, **more}
    return {"id": name, "path": "here.png", "source": "here.png", "mapsext": found}


def test_texts_and_numbers_of_records_are_harmless_in_figures_and_in_the_report(here: Path) -> None:
    clean = hostile(id="clean", denoise={"method": "_"})
    write("in.jsonl", [hostile(), {key: clean[key] for key in clean if key != "attack"}, mapped("map.png")])
    write("trace.jsonl", [point("a", NASTY, 10**9 - 1)])
    evaluate("--attacked", "in.jsonl", "--trace", "trace.jsonl", "--figures", "out", "--report", "r.html")
    drawn = {path.stem for path in Path("out").iterdir()}
    assert drawn == {"accuracy", "methods", "roc", "termination", "errors", "course", "images", "maps", "probabilities"}
    html = Path("r.html").read_text("utf-8")
    assert shown(html)
    assert "<b>" not in html
    assert r"\ud800" in html


RING = [[0, 0], [9, 0], [9, -9], [0, 0]]


@pytest.mark.parametrize("number", ["9" * 400, "1e999", "1e300", "NaN"])
def test_ground_truth_beyond_all_numbers_is_said(here: Path, number: str) -> None:
    text = json.dumps({"features": [feature([["?", 1], *RING, ["?", 1]])]}).replace('"?"', number)
    Path("truth/map.geojson").write_text(text)
    write("in.jsonl", [mapped("map.png"), mapped("map.png")])
    out, err = evaluate("--maps", "truth", "--json")
    assert err.count("\n") == 2
    assert "map: not scored: truth/map.geojson: " in err
    assert json.loads(out)["maps"] == {"words": [], "masks": []}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("y" * 300, "File name too long"), ("\ud800", "no file can have such a name"), ("a\0b", "no file can have such")],
)
def test_a_map_whose_id_is_no_file_name_is_said_and_the_next_is_scored(here: Path, name: str, reason: str) -> None:
    write("in.jsonl", [mapped(name), mapped("map.png")])
    out, err = evaluate("--maps", "truth", "--json")
    assert err.count("\n") == 1
    assert reason in err
    assert [score["map"] for score in json.loads(out)["maps"]["words"]] == ["map"]


@pytest.mark.parametrize("form", ["--table", "--markdown"])
def test_who_made_a_mask_and_who_read_it_drives_no_terminal(here: Path, form: str) -> None:
    write("in.jsonl", [mapped("map.png")])
    out, _ = evaluate("--maps", "truth", form)
    assert out.count(r"\ud800\x1b]0;owned\x07\x1b[31m\n") == 2


def test_a_full_disk_is_a_write_error_and_a_reader_that_goes_is_none(sh: Run, here: Path) -> None:
    write("in.jsonl", [hostile()])
    for form in FORMS:
        done = sh(f"dp-eval {form} in.jsonl > /dev/full")
        assert (done.returncode, done.stderr) == (3, "dp-eval: write error: No space left on device\n")
    done = sh("dp-eval in.jsonl | head -0; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_seconds_beyond_all_numbers_are_not_known(here: Path) -> None:
    write("in.jsonl", [hostile(), hostile(id="b")])
    out, _ = evaluate("--table")
    rows = [line.split() for line in out.splitlines() if line.startswith("everything")]
    assert [row[-1] for row in rows] == ["-"]
    assert "inf" not in out
