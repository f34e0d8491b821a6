"""Shipping: workers that share no files give the same records and files."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import Invert, sample

from dptools.engine.inline import inline
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.encoding import encode
from dptools.pipe.file_formats import DEFAULT, FileOptions, parse_format
from dptools.pipe.image import decode
from dptools.pipe.sample import Sample
from dptools.pipe.shipping import shipping
from dptools.pipe.source import open_source
from dptools.pipe.stage import Stage

Picture = Callable[..., Path]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def remote(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Run workers in another directory, where no relative path exists."""
    for item in samples:
        here = os.getcwd()
        os.chdir("/")
        try:
            done = list(inline(stage, [item]))
        finally:
            os.chdir(here)
        yield from done


def both(
    stage: Invert, items: list[Sample], force: bool = False, file: FileOptions = DEFAULT
) -> list[list[dict[str, Any]]]:
    """Return the records of a run without and with shipping, each into its own directory with the same name."""
    records = []
    for engine, name in ((inline, "local"), (shipping(remote), "remote")):
        Path(name).mkdir(exist_ok=True)
        Path("out").unlink(missing_ok=True)
        Path("out").symlink_to(name)
        done = list(engine(CachedFileStage(stage, Path("out"), force, file), items))
        assert all(result.encoded is None and result.existing is None for result in done)
        records.append([without_seconds(result.record) for result in done])
    assert images("local") == images("remote")
    return records


def without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    stages = [{key: value for key, value in entry.items() if key != "seconds"} for entry in record.get("stages", [])]
    return {**record, "stages": stages}


def images(directory: str) -> dict[str, bytes]:
    return {path.name: decode(path.read_bytes()).pixels.tobytes() for path in Path(directory).glob("*.png")}


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_records_and_files_are_the_same(picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(Path(name)))) for name in ("a.png", "bad.png", "c.png", "gone.png")]
    Path("gone.png").unlink()
    stage = Invert(log, id_suffixes=("@x", "@y"))
    local, shipped = both(stage, items)
    assert local == shipped
    assert len(local) == 7
    local, shipped = both(stage, items)
    assert local == shipped
    assert sum(bool(record.get("cached")) for record in shipped) == 4
    assert "cached" not in str(both(stage, items, force=True))


@pytest.mark.parametrize("name", ["jpeg", "same"])
def test_records_and_files_are_the_same_in_other_formats(picture: Picture, log: Path, name: str) -> None:
    items = [sample("n/a.JPG", path=str(picture(Path("a.JPG")))), sample("b.png", path=str(picture(Path("b.png"))))]
    file = FileOptions(parse_format(name))
    local, shipped = both(Invert(log), items, file=file)
    assert local == shipped
    suffixes = [Path(record["path"]).suffix for record in shipped]
    assert suffixes == ([".JPG", ".png"] if name == "same" else [".jpg", ".jpg"])
    assert [record.get("cached") for record in both(Invert(log), items, file=file)[1]] == [True, True]


def test_output_of_another_input_is_not_replaced(picture: Picture, log: Path) -> None:
    both(Invert(log), [sample("a.png", path=str(picture(Path("one/a.png"))))])
    local, shipped = both(Invert(log), [sample("a.png", path=str(picture(Path("two/a.png"), seed=1)))])
    assert local == shipped
    assert shipped[0]["error"]["type"] == "OtherInput"
    picture(Path("one/a.png"), seed=2)
    local, shipped = both(Invert(log), [sample("a.png", path="one/a.png")])
    assert local == shipped
    assert "error" not in shipped[0]


def test_file_not_made_by_dptools_is_not_overwritten(picture: Picture, log: Path) -> None:
    items = [sample("a.png", path=str(picture(Path("a.png"))))]
    for name in ("local", "remote"):
        picture(Path(name) / "a.png", seed=5)
    local, shipped = both(Invert(log), items)
    assert local == shipped
    assert "not made by dptools" in local[0]["error"]["message"]


def test_output_that_cannot_be_written_gives_the_same_error(picture: Picture, log: Path) -> None:
    for name in ("local", "remote"):
        Path(name).mkdir()
        (Path(name) / "n").touch()
    local, shipped = both(Invert(log), [sample("n/a.png", path=str(picture(Path("one/a.png"))), label=3)])
    assert local == shipped
    assert shipped[0]["error"]["type"] == "WriteError"
    assert shipped[0]["path"] == "one/a.png"
    assert not {"invert", "cached"} & shipped[0].keys()


def test_image_on_stdin_has_the_id_in_its_record(picture: Picture, log: Path) -> None:
    data = encode(decode(picture(Path("a.png")).read_bytes()).pixels, {"schema": 2, "id": "inner.png", "source": "x"})
    items = list(open_source(["-"], io.BytesIO(data)).samples)
    local, shipped = both(Invert(log), items)
    assert local == shipped
    assert local[0]["path"] == "out/inner.png"
    local, shipped = both(Invert(log), items)
    assert local == shipped
    assert shipped[0]["cached"]


def test_finished_sample_is_not_read(log: Path) -> None:
    failed = replace(sample("a.png"), reported=True).fail("dp-other", "X", "no")
    assert both(Invert(log), [failed])[0] == both(Invert(log), [failed])[1]
