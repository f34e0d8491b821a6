"""CachedFileStage: reading images, reusing outputs, isolating failures, and recording what was done."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toys import Invert, sample

from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.embedded import without_volatile
from dptools.pipe.encoding import encode
from dptools.pipe.image import decode
from dptools.pipe.record import validate
from dptools.pipe.sample import Sample

Picture = Callable[..., Path]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def work(stage: Invert, out: Path | None, *samples: Sample, force: bool = False) -> list[Sample]:
    return list(CachedFileStage(stage, out, force).build()(samples))


def test_image_is_read_processed_and_written(tmp_path: Path, picture: Picture, log: Path) -> None:
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


def test_image_stays_in_sample_without_output_directory(tmp_path: Path, picture: Picture, log: Path) -> None:
    data = picture(tmp_path / "a.png").read_bytes()
    (done,) = work(Invert(log), None, Sample({"schema": 2, "id": "stdin", "path": "-", "source": "-"}, encoded=data))
    assert done.encoded is not None
    inside = decode(done.encoded).record
    assert inside is not None
    assert inside["stages"][0]["tool"] == "dp-invert"


def test_existing_output_is_reused(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("a.png", path=str(picture(tmp_path / "a.png")), note="new")
    (first,) = work(Invert(log), tmp_path / "out", item)
    (again,) = work(Invert(log), tmp_path / "out", item)
    assert again.record["cached"] is True
    assert without_volatile(again.record) == without_volatile(first.record)
    assert again.path == first.path
    assert log.read_text() == "a.png\n"


@pytest.mark.parametrize("change", ["params", "seed", "input", "half", "force", "id", "label"])
def test_output_with_another_cache_key_is_remade(tmp_path: Path, picture: Picture, log: Path, change: str) -> None:
    path = picture(tmp_path / "a.png")
    item = sample("a.png", path=str(path))
    (first,) = work(Invert(log), tmp_path / "out", item)
    if change == "input":
        picture(path, seed=1)
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


def test_tool_can_expand_a_sample_into_several(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("n/a.jpg", path=str(picture(tmp_path / "a.png")))
    done = work(Invert(log, id_suffixes=("@x", "@y")), tmp_path / "out", item)
    assert [Path(result.path).name for result in done] == ["a@x.png", "a@y.png"]
    assert done[0].record["invert"] != done[1].record["invert"]


def test_failure_of_one_image_does_not_affect_others(tmp_path: Path, picture: Picture, log: Path) -> None:
    names = ["a.png", "bad.png", "c.png", "gone.png"]
    items = [sample(name, path=str(picture(tmp_path / name))) for name in names]
    Path(items[3].path).unlink()
    done = work(Invert(log), tmp_path / "out", *items)
    assert [result.id for result in done] == names
    assert [result.failed for result in done] == [False, True, False, True]
    assert done[1].record["error"] == {
        "stage": "dp-invert",
        "type": "ValueError",
        "message": "unexpected ValueError: cannot invert this one",
    }
    assert done[3].record["error"]["type"] == "FileNotFoundError"
    for result in done:
        validate(result.record)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_jobs_in_the_same_position_are_processed_together(tmp_path: Path, picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(tmp_path / name))) for name in ("a.png", "b.png", "gone.png")]
    Path(items[2].path).unlink()
    done = work(Invert(log, id_suffixes=("@x", "@y")), tmp_path / "out", *items)
    assert [result.id for result in done] == ["a.png@x", "a.png@y", "b.png@x", "b.png@y", "gone.png"]
    assert log.read_text().split() == ["a.png@x", "b.png@x", "a.png@y", "b.png@y"]


def test_batch_too_large_for_memory_is_halved(tmp_path: Path, picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(tmp_path / f"{name}.png"))) for name in "abcdefgh"]
    worker = CachedFileStage(Invert(log, room=2), tmp_path / "out").build()
    done = list(worker(items))
    assert [result.id for result in done] == list("abcdefgh")
    assert not any(result.failed for result in done)
    assert log.read_text().split() == [*"abcdefgh"]
    assert list(worker(items[:3]))  # the capacity is remembered
    tries = (tmp_path / "log.tries").read_text().split()
    assert tries == ["8", "4", "2", "2", "2", "2"]


def test_image_too_large_for_memory_becomes_an_error_record(tmp_path: Path, picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(tmp_path / f"{name}.png"))) for name in "ab"]
    done = list(CachedFileStage(Invert(log, room=0), tmp_path / "out").build()(items))
    assert [result.record["error"]["type"] for result in done] == ["OutOfMemory", "OutOfMemory"]


def test_failed_and_skipped_records_pass_unchanged(tmp_path: Path, log: Path) -> None:
    reason = {"stage": "dp-attack", "type": "T", "message": "m"}
    items = [sample("a", error=reason), sample("b", skipped=reason)]
    assert work(Invert(log), tmp_path / "out", *items) == items
    assert log.read_text() == ""


def test_output_does_not_overwrite_the_input(tmp_path: Path, picture: Picture, log: Path) -> None:
    path = picture(tmp_path / "a.png")
    before = path.read_bytes()
    for force in (False, True):
        (done,) = work(Invert(log), tmp_path, sample("a.png", path=str(path)), force=force)
        assert "overwrite its input" in done.record["error"]["message"]
    assert path.read_bytes() == before


def test_embedded_record_is_used_for_keys_that_the_sample_lacks(tmp_path: Path, log: Path) -> None:
    inside = {"schema": 2, "id": "old", "source": "first.jpg", "label": 7, "attack": {"name": "gs"}, "stages": []}
    path = tmp_path / "b.png"
    path.write_bytes(encode(np.zeros((2, 2, 3), np.uint8), inside))
    bare, labelled = sample("b.png", path=str(path)), sample("b.png", path=str(path), label=3)
    for item, label in ((bare, 7), (labelled, 3)):
        (done,) = work(Invert(log), tmp_path / "out", item, force=True)
        assert (done.id, done.record["source"], done.record["label"]) == ("b.png", "first.jpg", label)
        assert done.record["attack"] == {"name": "gs"}
    (done,) = work(Invert(log), tmp_path / "out", sample("b.png", path=str(path), stages=[]), force=True)
    assert "label" not in done.record


def test_output_bytes_depend_on_seed_and_id_only(tmp_path: Path, picture: Picture, log: Path) -> None:
    path = str(picture(tmp_path / "a.png"))
    item = sample("a.png", path=path)
    made = [
        Path(work(Invert(log, seed=seed), tmp_path / out, input_sample)[0].path).read_bytes()
        for out, seed, input_sample in [
            ("1", 0, item),
            ("2", 0, item),
            ("3", 1, item),
            ("4", 0, sample("b.png", path=path, source="a.png")),
        ]
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 3


def test_file_not_made_by_dptools_is_not_overwritten(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("a.jpg", path=str(picture(tmp_path / "a.jpg")))
    foreign = picture(tmp_path / "out" / "a.png", seed=9).read_bytes()
    (done,) = work(Invert(log), tmp_path / "out", item)
    assert "not made by dptools; --force replaces it" in done.record["error"]["message"]
    assert (tmp_path / "out" / "a.png").read_bytes() == foreign
    (done,) = work(Invert(log), tmp_path / "out", item, force=True)
    assert not done.failed


def test_failure_of_one_output_does_not_affect_other_outputs(tmp_path: Path, picture: Picture, log: Path) -> None:
    (tmp_path / "out" / "a@x.png").mkdir(parents=True)
    item = sample("a.jpg", path=str(picture(tmp_path / "a.png")))
    done = work(Invert(log, id_suffixes=("@x", "@y")), tmp_path / "out", item)
    assert [(result.id, result.failed) for result in done] == [("a.jpg@x", True), ("a.jpg@y", False)]


def test_a_damaged_image_is_replaced_only_if_it_was_made_from_the_same_input(
    tmp_path: Path, picture: Picture, log: Path
) -> None:
    target = tmp_path / "out" / "a.png"
    item = sample("a.png", path=str(picture(tmp_path / "a.png")))
    other = sample("a.png", path=str(picture(tmp_path / "other" / "a.png", seed=5)))
    foreign, (made,) = picture(target, seed=9).read_bytes(), work(Invert(log), target.parent, item, force=True)
    own = Path(made.path).read_bytes()
    for content, source, error in (
        (foreign[:-200], item, "WriteError"),
        (own[:40], item, "WriteError"),  # no record is left
        (own[:-200], other, "OtherInput"),
        (own[:-200], item, None),
    ):
        target.write_bytes(content)
        (done,) = work(Invert(log), target.parent, source)
        assert done.record.get("error", {}).get("type") == error
        assert target.read_bytes() == (content if error else own)


@pytest.mark.parametrize("content", [b"my notes", b""])
def test_file_of_the_user_at_the_path_of_an_output_is_not_overwritten(
    tmp_path: Path, picture: Picture, log: Path, content: bytes
) -> None:
    """An empty file is replaced: it may be left over from a crash."""
    target = tmp_path / "out" / "a.png"
    target.parent.mkdir()
    target.write_bytes(content)
    item = sample("a.png", path=str(picture(tmp_path / "a.png")))
    (done,) = work(Invert(log), target.parent, item)
    if content == b"my notes":
        assert "--force" in done.record["error"]["message"]
        assert target.read_bytes() == content
    else:
        assert decode(target.read_bytes()).record is not None
    (forced,) = work(Invert(log), target.parent, item, force=True)
    assert not forced.failed


def test_image_beyond_the_size_limit_at_the_path_of_an_output_is_not_overwritten(
    tmp_path: Path, picture: Picture, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "a.png"
    target.parent.mkdir()
    Image.new("RGB", (300, 300)).save(target)
    before = target.read_bytes()
    item = sample("a.png", path=str(picture(tmp_path / "a.png")))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    (done,) = work(Invert(log), target.parent, item)
    assert done.failed
    assert target.read_bytes() == before
