"""Shards as output: complete or not at all, and resumed without loss or duplicates."""

import fcntl
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tars import jpeg, labelled, names, tar
from toys import Invert, InvertProcessor

from dptools.engine.inline import inline
from dptools.errors import SetupError, UsageError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.image import decode
from dptools.pipe.opening import read_encoded, read_image
from dptools.pipe.run import emit_lines, run
from dptools.pipe.sample import Sample
from dptools.pipe.shard_sink import packed
from dptools.pipe.shipping import shipping
from dptools.pipe.source import open_source
from dptools.pipe.stage import Engine

OUT = Path("out.tar")


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("log").touch()
    Path("in.tar").write_bytes(tar(labelled(["n01/a", "b.v2", "c"])))
    yield
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".png"], "an image was written beside the shard"


def invert(
    *operands: str, stop_at: str = "", force: bool = False, engine: Engine = inline, **options: Any
) -> list[dict[str, Any]]:
    """Invert images into OUT, and return the records. An input with the id ``stop_at`` ends the run."""
    output = io.BytesIO()
    stage = CachedFileStage(Invert(Path("log"), **options), OUT, force)
    samples = open_source(operands or ["in.tar"], io.BytesIO()).samples

    def until_stop() -> Iterator[Any]:
        for item in samples:
            if item.id == stop_at:
                raise KeyboardInterrupt
            yield item

    with packed(OUT, engine, force, output) as (packing, records):
        run(stage, until_stop(), packing, emit_lines(records), lambda _: None)
        assert not output.getvalue(), "a record was written before its image exists"
    return [json.loads(line) for line in output.getvalue().splitlines()]


def processed() -> list[str]:
    """Return the ids that were processed since the last call."""
    done = Path("log").read_text().split()
    Path("log").write_text("")
    return done


def parts() -> list[str]:
    return [name for name in os.listdir() if name.endswith(".part")]


def test_shard_holds_images_records_and_labels() -> None:
    records = invert()
    assert names(OUT) == [f"{key}.{suffix}" for key in ("n01/a", "b_v2", "c") for suffix in ("png", "json", "cls")]
    assert [record["path"] for record in records] == ["out.tar#n01/a.png", "out.tar#b_v2.png", "out.tar#c.png"]
    assert [record["id"] for record in records] == ["in.tar#n01/a", "in.tar#b.v2", "in.tar#c"]
    again = list(open_source([str(OUT)], io.BytesIO()).samples)
    for number, (sample, record) in enumerate(zip(again, records, strict=True)):
        assert sample.id == record["id"]
        assert sample.record["label"] == number
        assert sample.record["invert"] == record["invert"]
        pixels = decode(read_encoded(sample)).pixels
        assert (pixels == 255 - decode(jpeg(number)).pixels).all()
    assert not parts()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset does not close its file
def test_webdataset_reads_the_shard() -> None:
    import webdataset  # it imports torch

    invert()
    found = list(webdataset.WebDataset(str(OUT), shardshuffle=False).decode("rgb8").to_tuple("__key__", "png", "cls"))
    assert [(key, label) for key, _, label in found] == [("n01/a", 0), ("b_v2", 1), ("c", 2)]
    assert all(image.shape == (16, 16, 3) for _, image, _ in found)


def test_records_in_the_shard_hold_no_directories_of_the_user(tmp_path: Path) -> None:
    home = tmp_path / "home" / "me"
    (home / "imgs" / "n02").mkdir(parents=True)
    (home / "in.tar").write_bytes(tar(labelled(["n01/a"])))
    (home / "imgs" / "n02" / "b.jpg").write_bytes(jpeg())
    (home / "c.jpg").write_bytes(jpeg())
    records = invert(str(home / "in.tar"), str(home / "imgs"), str(home / "c.jpg"), model=str(home / "net.onnx"))
    assert all(str(home) in record["source"] for record in records), "records on standard output lead to the input"
    assert str(home).encode() not in OUT.read_bytes()
    again = [sample.record for sample in open_source([str(OUT)], io.BytesIO()).samples]
    assert [record["id"] for record in again] == ["in.tar#n01/a", "n02/b.jpg", "c.jpg"]
    assert [record["source"] for record in again] == ["in.tar#n01/a.jpg", "n02/b.jpg", "c.jpg"]
    assert again[0]["stages"][0]["params"]["model"] == "net.onnx"


def test_the_directory_of_a_listed_shard_is_in_no_record() -> None:
    Path("deep/er").mkdir(parents=True)
    Path("in.tar").rename("deep/er/in.tar")
    output = io.BytesIO()
    samples = open_source([], io.BytesIO(b"deep/er/in.tar")).samples
    with packed(OUT, inline, False, output) as (packing, records):
        run(CachedFileStage(Invert(Path("log")), OUT), samples, packing, emit_lines(records), lambda _: None)
    assert b"deep/er/in.tar#n01/a" in output.getvalue()
    assert b"deep" not in OUT.read_bytes()


def test_equal_runs_give_equal_bytes_and_reuse_everything() -> None:
    invert()
    before, status = OUT.read_bytes(), OUT.stat()
    processed()
    records = invert()
    assert [record["cached"] for record in records] == [True] * 3
    assert (processed(), OUT.stat().st_mtime_ns, OUT.stat().st_ino) == ([], status.st_mtime_ns, status.st_ino)
    OUT.unlink()
    invert()
    assert OUT.read_bytes() == before


def test_interrupted_run_is_resumed_without_loss_or_duplicates() -> None:
    invert(strength=2)
    old = OUT.read_bytes()
    processed()
    with pytest.raises(KeyboardInterrupt):
        invert(stop_at="in.tar#c")
    assert OUT.read_bytes() == old
    assert len(parts()) == 1
    assert processed() == ["in.tar#n01/a", "in.tar#b.v2"]
    with pytest.raises(KeyboardInterrupt):
        invert(stop_at="in.tar#b.v2")
    records = invert()
    assert [record.get("cached", False) for record in records] == [True, True, False]
    assert processed() == ["in.tar#c"]
    assert not parts()
    complete = OUT.read_bytes()
    assert [record["id"] for record in invert(force=True)] == [record["id"] for record in records]
    assert OUT.read_bytes() == complete


def test_part_that_is_cut_anywhere_is_used_as_far_as_it_is_complete() -> None:
    invert()
    complete = OUT.read_bytes()
    OUT.unlink()
    for length in range(0, len(complete), 700):
        Path(".out.tar.abcd_123.part").write_bytes(complete[:length])
        invert()
        assert OUT.read_bytes() == complete
        OUT.unlink()


def test_failed_image_is_not_in_the_shard() -> None:
    Path("in.tar").write_bytes(tar([("a.jpg", jpeg()), ("bad.jpg", jpeg()), ("x.jpg", b"no image"), ("c.jpg", jpeg())]))
    records = invert()
    assert ["error" in record for record in records] == [False, True, True, False]
    assert names(OUT) == ["a.png", "a.json", "c.png", "c.json"]


@dataclass(frozen=True)
class Skip(Invert):
    """A tool that skips all images."""

    def load(self) -> "SkipProcessor":
        return SkipProcessor(self)


@dataclass(frozen=True)
class SkipProcessor(InvertProcessor):
    """The processor of `Skip`."""

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return [item.update(skipped={"stage": "dp-invert", "type": "T", "message": "m"}) for item in samples]


def test_skipped_images_are_in_the_shard() -> None:
    before = list(open_source(["in.tar"], io.BytesIO()).samples)
    for cached in (False, True):
        output = io.BytesIO()
        with packed(OUT, inline, False, output) as (packing, lines):
            run(CachedFileStage(Skip(Path("log")), OUT), before, packing, emit_lines(lines), lambda _: None)
        records = [json.loads(line) for line in output.getvalue().splitlines()]
        assert [record.get("cached", False) for record in records] == [cached] * 3
        assert [decode(read_image(record["path"])).pixels.shape for record in records] == [(16, 16, 3)] * 3
    skipped = [Sample(record) for record in records]
    with packed(Path("next.tar"), inline, False, io.BytesIO()) as (packing, lines):
        run(CachedFileStage(Invert(Path("log")), Path("next.tar")), skipped, packing, emit_lines(lines), lambda _: None)
    assert not Path("next.tar").exists()
    assert all(sample.finished for sample in open_source([str(OUT)], io.BytesIO()).samples)


def test_run_without_images_leaves_the_old_shard() -> None:
    invert()
    before = OUT.read_bytes()
    assert "error" in invert("gone.tar")[0]
    assert OUT.read_bytes() == before
    assert not parts()


def test_images_that_the_run_did_not_make_are_not_lost() -> None:
    invert()
    before = OUT.read_bytes()
    Path("other.tar").write_bytes(tar(labelled(["x", "y"])))
    with pytest.raises(UsageError, match="holds 3 other images"):
        invert("other.tar")
    assert OUT.read_bytes() == before
    OUT.unlink()
    processed()
    invert("other.tar")
    assert processed() == []
    assert [record["id"] for record in invert("in.tar", force=True)] == ["in.tar#n01/a", "in.tar#b.v2", "in.tar#c"]


def test_images_of_another_program_in_the_shard_are_not_lost() -> None:
    invert()
    with tarfile.open(OUT, "a") as archive:
        archive.add("in.tar", "notes.txt")
    invert()
    with tarfile.open(OUT, "a") as archive:
        archive.add("in.tar", "extra.JPG")
    before = OUT.read_bytes()
    with pytest.raises(UsageError, match="holds 1 other images"):
        invert()
    assert OUT.read_bytes() == before


def test_hidden_files_are_read_again_from_the_shard() -> None:
    Path(".hid").mkdir()
    Path(".hid/h.jpg").write_bytes(jpeg())
    output = io.BytesIO()
    samples = open_source([], io.BytesIO(b".hid/h.jpg\n")).samples
    with packed(OUT, inline, False, output) as (packing, records):
        run(CachedFileStage(Invert(Path("log")), OUT), samples, packing, emit_lines(records), lambda _: None)
    (sample,) = open_source([str(OUT)], io.BytesIO()).samples
    assert (sample.id, sample.path) == (".hid/h.jpg", "out.tar#_hid/h.png")


@pytest.mark.parametrize("content", [b"text", tar([("a.jpg", jpeg())]), tar([("a.txt", b"x")]), b""])
def test_shard_of_another_program_is_replaced_only_by_force(content: bytes) -> None:
    OUT.write_bytes(content)
    with pytest.raises(UsageError, match="not made by dptools"):
        invert()
    assert OUT.read_bytes() == content
    assert len(invert(force=True)) == 3


def test_same_key_of_two_shards_fails_the_second() -> None:
    Path("more.tar").write_bytes(tar(labelled(["c", "d"])))
    records = invert("in.tar", "more.tar")
    assert [record.get("error", {}).get("type") for record in records] == [None, None, None, "SameOutput", None]
    assert len(names(OUT)) == len(set(names(OUT))) == 12


def test_several_outputs_of_one_image() -> None:
    invert(id_suffixes=("@x", "@y"))
    assert [name for name in names(OUT) if name.endswith(".png")] == [
        f"{key}@{variant}.png" for key in ("n01/a", "b_v2", "c") for variant in "xy"
    ]
    processed()
    invert(id_suffixes=("@x", "@y"))
    assert processed() == []


def test_two_runs_do_not_write_the_same_shard() -> None:
    with open(".out.tar.abcd_123.part", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SetupError, match="another run is writing it"):
            invert()
    assert not OUT.exists()


def test_two_runs_do_not_start_at_the_same_moment() -> None:
    directory = os.open(".", os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    thread = threading.Thread(target=invert)
    thread.start()
    thread.join(0.2)
    assert (thread.is_alive(), parts(), OUT.exists()) == (True, [], False)
    os.close(directory)
    thread.join()
    assert OUT.exists()


@pytest.mark.parametrize("name", [".out.tar.v2.tar.abcd_123.part", ".out.tar.trace.jsonl.abcd_123.part"])
def test_temporary_files_of_other_outputs_neither_block_nor_are_deleted(name: str) -> None:
    with open(name, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert len(invert()) == 3
    assert parts() == [name]


def test_shipped_images_are_written_to_the_shard_only() -> None:
    Path("a.jpg").write_bytes(jpeg())
    invert("in.tar", "a.jpg", engine=shipping(inline))
    processed()
    invert("in.tar", "a.jpg", engine=shipping(inline))
    assert processed() == []
    assert len(names(OUT)) == 3 * 3 + 2


def test_unwritable_place_is_a_setup_error() -> None:
    Path("file").touch()
    with pytest.raises(SetupError, match=r"file/out\.tar"), packed(Path("file/out.tar"), inline, False, io.BytesIO()):
        pass


def test_full_disk_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(SetupError, match=r"out\.tar: No space left on device"):
        invert()
    assert not OUT.exists()
    assert not parts()


def test_an_image_that_fails_now_stays_in_the_old_shard() -> None:
    invert()
    before = OUT.read_bytes()
    damaged = [*labelled(["n01/a", "b.v2"]), ("c.jpg", jpeg(2)[:100])]
    Path("in.tar").write_bytes(tar(damaged))
    with pytest.raises(UsageError, match="holds 1 other images"):
        invert()
    assert OUT.read_bytes() == before


def test_a_changed_member_of_the_same_shard_replaces_its_output() -> None:
    invert()
    Path("in.tar").write_bytes(tar([*labelled(["n01/a", "b.v2"]), ("c.jpg", jpeg(9)), ("c.cls", b"2")]))
    records = invert()
    assert [record.get("cached", False) for record in records] == [True, True, False]


def test_images_of_a_killed_run_from_other_inputs_do_not_block_the_name() -> None:
    invert()
    OUT.rename(".out.tar.abcd_123.part")
    Path("in.tar").write_bytes(tar([("c.jpg", jpeg(9))]))
    assert "error" not in invert()[0]
    assert names(OUT) == ["c.png", "c.json"]


def test_a_shard_never_overwrites_its_own_images() -> None:
    invert()
    before = OUT.read_bytes()
    records = list(open_source([], io.BytesIO(json.dumps({"path": "out.tar#c.png"}).encode() + b"\n")).samples)
    output = io.BytesIO()
    with packed(OUT, inline, True, output) as (packing, lines):
        run(CachedFileStage(Invert(Path("log")), OUT, True), records, packing, emit_lines(lines), lambda _: None)
    assert json.loads(output.getvalue())["error"]["message"].startswith("the output would overwrite its input")
    assert OUT.read_bytes() == before
