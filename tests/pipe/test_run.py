"""The loop: exit status, reports, and inputs whose outputs would be the same file."""

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from toys import Invert, sample

from dptools.engine.inline import inline
from dptools.pipe import opening
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.file_formats import FileOptions, parse_format
from dptools.pipe.opening import read_image
from dptools.pipe.run import emit_lines, emit_text, run
from dptools.pipe.sample import Sample

Picture = Callable[..., Path]


@dataclass(frozen=True)
class InvertWithExtras(Invert):
    """A tool that writes further files into directories of its own."""

    extra_directories: tuple[Path, ...] = ()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def process(stage: CachedFileStage, *samples: Sample) -> tuple[int, list[dict[str, Any]], list[str]]:
    stream, messages = io.BytesIO(), list[str]()
    status = run(stage, samples, inline, emit_lines(stream), messages.append)
    return status, [json.loads(line) for line in stream.getvalue().splitlines()], messages


@pytest.mark.parametrize("where", ["output", "directory"])
def test_second_input_with_the_same_output_is_refused(tmp_path: Path, picture: Picture, log: Path, where: str) -> None:
    samples = [sample(f"n/a{suffix}", path=str(picture(tmp_path / f"a{suffix}"))) for suffix in (".png", ".jpg")]
    directory = tmp_path / "out"
    if where == "output":
        stage = CachedFileStage(Invert(log), directory)
    else:
        stage = CachedFileStage(InvertWithExtras(log, extra_directories=(directory,)))
    status, records, messages = process(stage, *samples)
    assert status == 1
    assert ["error" in record for record in records] == [False, True]
    assert records[1]["error"]["type"] == "SameOutput"
    name = "a.png" if where == "output" else "a*.png"
    assert messages == [f"{samples[1].path}: its output {directory}/n/{name} is that of an earlier input: rename one"]


def test_an_image_that_is_named_twice_is_no_other_image(tmp_path: Path, picture: Picture, log: Path) -> None:
    picture(tmp_path / "a.png")
    samples = [sample("a.png", path=str(tmp_path / directory / "a.png")) for directory in (".", "none/..")]
    status, records, messages = process(CachedFileStage(Invert(log), tmp_path / "out"), *samples)
    assert (status, ["error" in record for record in records]) == (1, [False, True])
    assert messages == [f"{samples[1].path}: this image is named twice; its output is {tmp_path}/out/a.png"]


@pytest.mark.parametrize(
    ("names", "form", "paths"),
    [
        (["a.jpg", "a.png", "a.webp", "b.gif"], "same", ["a.jpg", "a.png", "a.webp", "b.png"]),
        (["a.jpg", "a.jpeg"], "same", ["a.jpg", "a.jpeg"]),
        (["a.HEIC", "a.jpg"], "same", ["a.jpg", None]),
        (["a.gif", "a.png"], "same", ["a.png", None]),
        (["a.jpg", "a.png"], "jpeg", ["a.jpg", None]),
    ],
)
def test_inputs_whose_names_differ_only_in_the_suffix(
    tmp_path: Path, picture: Picture, log: Path, names: list[str], form: str, paths: list[str | None]
) -> None:
    """With --force too, no output replaces that of another input of the same run."""
    samples = [sample(name, path=str(picture(tmp_path / name.replace("HEIC", "avif")))) for name in names]
    stage = CachedFileStage(Invert(log), tmp_path / "out", force=True, file=FileOptions(parse_format(form)))
    _, records, _ = process(stage, *samples)
    assert [None if "error" in record else Path(record["path"]).name for record in records] == paths


def test_the_format_of_an_input_is_read_from_its_header(
    tmp_path: Path, picture: Picture, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker reads each file in full, and nothing else does."""
    read: list[str] = []
    monkeypatch.setattr(opening, "read_image", lambda path: read.append(path) or read_image(path))
    samples = [sample(name, path=str(picture(tmp_path / name))) for name in ("a.jpg", "b.png")]
    stage = CachedFileStage(Invert(log), tmp_path / "out", file=FileOptions(parse_format("same")))
    status, records, _ = process(stage, *samples)
    assert status == 0
    assert [Path(record["path"]).name for record in records] == ["a.jpg", "b.png"]
    assert read == [item.path for item in samples]


def test_the_content_of_an_input_determines_the_name_of_its_output(tmp_path: Path, picture: Picture, log: Path) -> None:
    """With --force too, as above: the first input is a PNG file in spite of its suffix."""
    picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    samples = [sample(name, path=str(tmp_path / name)) for name in ("a.jpg", "a.png")]
    picture(tmp_path / "a.png", seed=1)
    stage = CachedFileStage(Invert(log), tmp_path / "out", force=True, file=FileOptions(parse_format("same")))
    _, (first, second), _ = process(stage, *samples)
    assert Path(first["path"]).name == "a.png"
    assert second["error"]["type"] == "SameOutput"


def test_equal_keys_of_a_shard_are_refused_although_the_names_of_further_files_differ(log: Path) -> None:
    options = InvertWithExtras(log, extra_directories=(Path("kept"),))
    samples = [sample(name) for name in ("a.b.png", "a_b.png", "c.png")]
    done = list[Sample]()
    run(CachedFileStage(options, Path("x.tar")), samples, lambda _, items: iter(items), done.append, lambda _: None)
    assert [item.failed for item in done] == [False, True, False]


def test_further_files_may_go_to_the_directory_of_the_images(tmp_path: Path, picture: Picture, log: Path) -> None:
    samples = [sample(name, path=str(picture(tmp_path / name))) for name in ("a.png", "b.png")]
    stage = CachedFileStage(InvertWithExtras(log, extra_directories=(tmp_path / "out",)), tmp_path / "out")
    assert process(stage, *samples)[0] == 0


def test_text_keeps_the_bytes_of_names_that_are_not_utf_8() -> None:
    stream = io.BytesIO()
    emit = emit_text(stream, lambda record: record["id"])
    for name in (b"\xff,", b"\xfe,", "é,".encode()):
        emit(sample(os.fsdecode(name)))
    emit(sample("\ud800"))
    assert stream.getvalue() == b"\xff,\xfe,\xc3\xa9,?"


def test_failure_of_an_earlier_tool_counts_but_is_not_reported_again(log: Path) -> None:
    error = {"stage": "dp-other", "type": "T", "message": "m"}
    failed = Sample({"schema": 2, "id": "a", "error": error}, reported=True)
    assert process(CachedFileStage(Invert(log)), failed) == (1, [failed.record], [])


def test_failure_of_the_source_names_the_tool(log: Path) -> None:
    failed = sample("a", path="a").fail("", "T", "m")
    status, (record,), messages = process(CachedFileStage(Invert(log)), failed)
    assert (status, record["error"]["stage"], messages) == (1, "dp-invert", ["a: m"])
