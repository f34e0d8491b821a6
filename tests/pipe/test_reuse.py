"""Which existing outputs are reused, replaced or kept."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from toys import Invert, sample

from dptools.pipe.cached_files import CachedFileStage, CachedFileWorker
from dptools.pipe.file_formats import FileOptions, parse_format
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


ERROR = "was made from another input, a.png"


def test_output_of_another_input_is_not_replaced(tmp_path: Path, picture: Picture, log: Path) -> None:
    one, two = (picture(tmp_path / name / "a.png", seed=seed) for seed, name in enumerate(("one", "two")))
    (first,) = work(Invert(log), tmp_path / "out", sample("a.png", path=str(one)))
    before = Path(first.path).read_bytes()
    for stage in (Invert(log), Invert(log, strength=2)):
        (done,) = work(stage, tmp_path / "out", sample("a.png", path=str(two)))
        assert done.record["error"]["type"] == "OtherInput"
        assert ERROR in done.record["error"]["message"]
        assert (done.path, Path(first.path).read_bytes()) == (str(two), before)
    (forced,) = work(Invert(log), tmp_path / "out", sample("a.png", path=str(two)), force=True)
    assert not forced.failed
    assert Path(first.path).read_bytes() != before


def test_a_record_whose_file_has_been_replaced_is_refused(tmp_path: Path, picture: Picture, log: Path) -> None:
    """Otherwise, a result of one method would count as that of another one."""
    image = sample("a.png", path=str(picture(tmp_path / "a.png")))
    (first,) = work(Invert(log), tmp_path / "out", image)
    (second,) = work(Invert(log, strength=2), tmp_path / "out", image)
    (refused,), (accepted,) = (work(Invert(log), None, record) for record in (first, second))
    assert refused.record["error"]["type"] == "ReplacedFile"
    assert "give each run its own -o" in refused.record["error"]["message"]
    assert not accepted.failed


def test_a_file_that_another_program_has_changed_keeps_its_record(tmp_path: Path, picture: Picture, log: Path) -> None:
    (done,) = work(Invert(log), tmp_path / "out", sample("a.png", path=str(picture(tmp_path / "a.png"))))
    with Image.open(done.path) as image:
        info = PngInfo()
        info.add_itxt("dptools", image.info["dptools"])
        image.convert("L").convert("RGB").save(done.path, pnginfo=info)
    (next_,) = work(Invert(log), None, done)
    assert [entry["tool"] for entry in next_.record["stages"]] == ["dp-invert", "dp-invert"]


@pytest.mark.parametrize("change", ["content", "moved", "relative"])
def test_output_of_the_same_input_is_replaced(
    tmp_path: Path, picture: Picture, log: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = picture(tmp_path / "one" / "a.png")
    work(Invert(log), tmp_path / "out", sample("a.png", path=str(path)))
    if change == "content":
        picture(path, seed=1)
    elif change == "moved":
        path = path.rename(tmp_path / "b.png")
    else:
        monkeypatch.chdir(path.parent)
        picture(path, seed=2)
        path = Path("a.png")
    (done,) = work(Invert(log, strength=2), tmp_path / "out", sample("a.png", path=str(path)))
    assert not done.failed
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.parametrize("links", [True, False])
def test_output_that_another_process_writes_meanwhile_is_not_replaced(
    tmp_path: Path, picture: Picture, log: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """The other process starts and ends while this one computes, with and without hard links in the file system."""
    one, two = (picture(tmp_path / name / "a.png", seed=seed) for seed, name in enumerate(("one", "two")))

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    worker = CachedFileStage(Invert(log), tmp_path / "out").build()
    assert isinstance(worker, CachedFileWorker)
    (job,) = worker._jobs(sample("a.png", path=str(one)))
    (other,) = work(Invert(log), tmp_path / "out", sample("a.png", path=str(two)))
    before = Path(other.path).read_bytes()
    (done,) = worker._run([job])
    assert ERROR in done.record["error"]["message"]
    assert Path(other.path).read_bytes() == before
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_images_from_standard_input_are_the_same_input_only_if_their_content_is(
    tmp_path: Path, picture: Picture, log: Path
) -> None:
    def read(seed: int) -> Sample:
        data = picture(tmp_path / "a.png", seed=seed).read_bytes()
        item = replace(sample("stdin", path="-", source="-"), encoded=data)
        (done,) = work(Invert(log, strength=seed), tmp_path / "out", item)
        return done

    assert not read(0).failed
    assert "another input, standard input" in read(1).record["error"]["message"]
    assert read(0).record["cached"]


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/9", "pipe.png", "pipe.tar#a.png"])
def test_images_from_other_streams_have_no_path_either(
    tmp_path: Path, picture: Picture, log: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if path.startswith("pipe"):
        os.mkfifo(path.partition("#")[0])
    items = [
        replace(sample("a", path=path, source=path), encoded=picture(tmp_path / "a.png", seed=seed).read_bytes())
        for seed in range(2)
    ]
    done = [work(Invert(log), tmp_path / "out", item)[0] for item in items]
    assert [item.record.get("error", {}).get("type") for item in done] == [None, "OtherInput"]


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "webp:50", "same"])
def test_outputs_of_every_format_are_reused(tmp_path: Path, picture: Picture, log: Path, name: str) -> None:
    item = sample("n/a.JPEG", path=str(picture(tmp_path / "a.jpg")))
    stage = CachedFileStage(Invert(log), tmp_path / "out", file=FileOptions(parse_format(name)))
    (first,), (again,) = (stage.build()([item]) for _ in range(2))
    suffix = {"png": ".png", "jpeg": ".jpg", "same": ".JPEG"}.get(name, ".webp")
    assert first.path == again.path == str(tmp_path / "out" / "n" / f"a{suffix}")
    assert (first.record.get("cached"), again.record.get("cached")) == (None, True)
    other = CachedFileStage(Invert(log), tmp_path / "out", file=FileOptions(parse_format(name), metadata=True))
    (remade,) = other.build()([item])
    assert "cached" not in remade.record
    assert remade.record["stages"][-1]["output"]["metadata"] is True
    validate(remade.record)


def test_output_without_a_record_is_neither_reused_nor_replaced(tmp_path: Path, picture: Picture, log: Path) -> None:
    item = sample("a.jpg", path=str(picture(tmp_path / "a.jpg")))
    bare = CachedFileStage(Invert(log), tmp_path / "out", file=FileOptions(record=False))
    work(Invert(log), tmp_path / "out", item)
    (done,) = bare.build()([item])  # replaces the file with the record
    assert not done.failed
    assert decode(Path(done.path).read_bytes()).record is None
    (again,) = bare.build()([item])
    assert "--force replaces it" in again.record["error"]["message"]
