"""Between files: reading, reuse of finished output, isolation of failures, and the record of it all."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import Invert, sample

from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.image import decode, encode, steady
from dptools.pipe.record import validate
from dptools.pipe.sample import Sample

Picture = Callable[..., Path]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def work(stage: Invert, out: Path | None, *samples: Sample, force: bool = False) -> list[Sample]:
    return list(CachedFileStage(stage, out, force).build()(samples))


def test_an_image_is_read_worked_on_and_written(tmp_path: Path, picture: Picture, log: Path) -> None:
    path = picture(tmp_path / "a.png")
    (done,) = work(Invert(log), tmp_path / "out", sample("a.png", path=str(path), other=[1]))
    validate(done.record)
    assert done.path == str(tmp_path / "out" / "a.png")
    written = Path(done.path).read_bytes()
    assert np.array_equal(decode(written).pixels, 255 - decode(path.read_bytes()).pixels)
    (entry,) = done.record["stages"]
    assert entry["input_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry["sha256"] == hashlib.sha256(written).hexdigest()
    assert entry["params"] == {"strength": 1}
    assert done.record["other"] == [1]


def test_without_a_directory_the_image_stays_in_the_sample(tmp_path: Path, picture: Picture, log: Path) -> None:
    data = picture(tmp_path / "a.png").read_bytes()
    (done,) = work(Invert(log), None, Sample({"schema": 1, "id": "stdin", "path": "-", "source": "-"}, encoded=data))
    assert done.encoded is not None
    inside = decode(done.encoded).record
    assert inside is not None
    assert inside["stages"][0]["tool"] == "dp-invert"


def test_finished_output_is_used_again(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("a.png", path=str(picture(tmp_path / "a.png")), note="new")
    (first,) = work(Invert(log), tmp_path / "out", item)
    (again,) = work(Invert(log), tmp_path / "out", item)
    assert again.record["cached"] is True
    assert steady(again.record) == steady(first.record)
    assert again.path == first.path
    assert log.read_text() == "a.png\n"


@pytest.mark.parametrize("change", ["params", "seed", "input", "damage", "half", "force", "id", "label"])
def test_output_of_anything_else_is_made_again(tmp_path: Path, picture: Picture, log: Path, change: str) -> None:
    path = picture(tmp_path / "a.png")
    item = sample("a.png", path=str(path))
    (first,) = work(Invert(log), tmp_path / "out", item)
    if change == "input":
        picture(path, seed=1)
    if change == "damage":
        Path(first.path).write_bytes(Path(first.path).read_bytes()[:99])
    changes: dict[str, Any] = {"params": {"strength": 2}, "seed": {"seed": 5}}.get(change, {})
    if change == "half":
        Path(first.path).write_bytes(Path(first.path).read_bytes()[:-200])
    if change == "label":
        item = item.update(label=2)
    if change == "id":
        item = sample("./a.png", path=str(path))
    (again,) = work(Invert(log, **changes), tmp_path / "out", item, force=change == "force")
    assert "cached" not in again.record
    assert again.path == first.path
    assert len(log.read_text().splitlines()) == 2


def test_a_sample_can_become_several(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("n/a.jpg", path=str(picture(tmp_path / "a.png")))
    done = work(Invert(log, variants=("@x", "@y")), tmp_path / "out", item)
    assert [Path(each.path).name for each in done] == ["a@x.png", "a@y.png"]
    assert done[0].record["invert"] != done[1].record["invert"]


def test_a_failure_takes_no_other_image_with_it(tmp_path: Path, picture: Picture, log: Path) -> None:
    names = ["a.png", "bad.png", "c.png", "gone.png"]
    items = [sample(name, path=str(picture(tmp_path / name))) for name in names]
    Path(items[3].path).unlink()
    done = work(Invert(log), tmp_path / "out", *items)
    assert [each.id for each in done] == names
    assert [each.failed for each in done] == [False, True, False, True]
    assert done[1].record["error"] == {
        "stage": "dp-invert",
        "type": "ValueError",
        "message": "unexpected ValueError: cannot invert this one",
    }
    assert done[3].record["error"]["type"] == "FileNotFoundError"
    for each in done:
        validate(each.record)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_outputs_of_one_kind_are_made_together(tmp_path: Path, picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(tmp_path / name))) for name in ("a.png", "b.png", "gone.png")]
    Path(items[2].path).unlink()
    done = work(Invert(log, variants=("@x", "@y")), tmp_path / "out", *items)
    assert [each.id for each in done] == ["a.png@x", "a.png@y", "b.png@x", "b.png@y", "gone.png"]
    assert log.read_text().split() == ["a.png@x", "b.png@x", "a.png@y", "b.png@y"]


def test_what_is_too_much_for_the_memory_is_done_by_halves(tmp_path: Path, picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(tmp_path / f"{name}.png"))) for name in "abcdefgh"]
    worker = CachedFileStage(Invert(log, room=2), tmp_path / "out").build()
    done = list(worker(items))
    assert [each.id for each in done] == list("abcdefgh")
    assert not any(each.failed for each in done)
    assert log.read_text().split() == [*"abcdefgh"]
    assert list(worker(items[:3]))  # and from now on
    tries = (tmp_path / "log.tries").read_text().split()
    assert tries == ["8", "4", "2", "2", "2", "2"]


def test_one_image_too_large_for_the_memory_is_an_error_record(tmp_path: Path, picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(tmp_path / f"{name}.png"))) for name in "ab"]
    done = list(CachedFileStage(Invert(log, room=0), tmp_path / "out").build()(items))
    assert [each.record["error"]["type"] for each in done] == ["OutOfMemory", "OutOfMemory"]


def test_failed_and_skipped_records_pass_untouched(tmp_path: Path, log: Path) -> None:
    reason = {"stage": "dp-attack", "type": "T", "message": "m"}
    items = [sample("a", error=reason), sample("b", skipped=reason)]
    assert work(Invert(log), tmp_path / "out", *items) == items
    assert log.read_text() == ""


def test_the_output_never_overwrites_the_input(tmp_path: Path, picture: Picture, log: Path) -> None:
    path = picture(tmp_path / "a.png")
    before = path.read_bytes()
    for force in (False, True):
        (done,) = work(Invert(log), tmp_path, sample("a.png", path=str(path)), force=force)
        assert "overwrite its input" in done.record["error"]["message"]
    assert path.read_bytes() == before


def test_what_a_file_knows_of_itself_serves_where_no_record_came_with_it(tmp_path: Path, log: Path) -> None:
    inside = {"schema": 1, "id": "old", "source": "first.jpg", "label": 7, "attack": {"name": "gs"}, "stages": []}
    path = tmp_path / "b.png"
    path.write_bytes(encode(np.zeros((2, 2, 3), np.uint8), inside))
    bare, told = sample("b.png", path=str(path)), sample("b.png", path=str(path), label=3)
    for item, label in ((bare, 7), (told, 3)):
        (done,) = work(Invert(log), tmp_path / "out", item, force=True)
        assert (done.id, done.record["source"], done.record["label"]) == ("b.png", "first.jpg", label)
        assert done.record["attack"] == {"name": "gs"}
    (done,) = work(Invert(log), tmp_path / "out", sample("b.png", path=str(path), stages=[]), force=True)
    assert "label" not in done.record


def test_equal_seeds_and_ids_give_equal_bytes_and_others_do_not(tmp_path: Path, picture: Picture, log: Path) -> None:
    path = str(picture(tmp_path / "a.png"))
    item = sample("a.png", path=path)
    made = [
        Path(work(Invert(log, seed=seed), tmp_path / out, each)[0].path).read_bytes()
        for out, seed, each in [
            ("1", 0, item),
            ("2", 0, item),
            ("3", 1, item),
            ("4", 0, sample("b.png", path=path, source="a.png")),
        ]
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 3


def test_what_dptools_did_not_make_is_not_overwritten(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("a.jpg", path=str(picture(tmp_path / "a.jpg")))
    mine = picture(tmp_path / "out" / "a.png", seed=9).read_bytes()
    (done,) = work(Invert(log), tmp_path / "out", item)
    assert "not made by dptools; --force replaces it" in done.record["error"]["message"]
    assert (tmp_path / "out" / "a.png").read_bytes() == mine
    (done,) = work(Invert(log), tmp_path / "out", item, force=True)
    assert not done.failed


def test_one_bad_output_of_several_takes_no_other_with_it(tmp_path: Path, picture: Picture, log: Path) -> None:
    (tmp_path / "out" / "a@x.png").mkdir(parents=True)
    item = sample("a.jpg", path=str(picture(tmp_path / "a.png")))
    done = work(Invert(log, variants=("@x", "@y")), tmp_path / "out", item)
    assert [(each.id, each.failed) for each in done] == [("a.jpg@x", True), ("a.jpg@y", False)]
