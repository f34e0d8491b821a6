"""Images carried to workers that see no files of ours: the same records and files as without."""

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
from dptools.pipe.image import decode, encode
from dptools.pipe.sample import Sample
from dptools.pipe.shipping import shipping
from dptools.pipe.source import open_source
from dptools.pipe.stage import Stage

Picture = Callable[..., Path]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def far(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Workers that stand elsewhere: no relative name leads anywhere."""
    for item in samples:
        here = os.getcwd()
        os.chdir("/")
        try:
            done = list(inline(stage, [item]))
        finally:
            os.chdir(here)
        yield from done


def both(stage: Invert, items: list[Sample], force: bool = False) -> list[list[dict[str, Any]]]:
    """Records of a run without and with shipping, each into a directory of its own, by the same name."""
    found = []
    for engine, name in ((inline, "near"), (shipping(far), "far")):
        Path(name).mkdir(exist_ok=True)
        Path("out").unlink(missing_ok=True)
        Path("out").symlink_to(name)
        done = list(engine(CachedFileStage(stage, Path("out"), force), items))
        assert all(each.encoded is None and each.there is None for each in done)
        found.append([without_seconds(each.record) for each in done])
    assert images("near") == images("far")
    return found


def without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    stages = [{key: value for key, value in entry.items() if key != "seconds"} for entry in record.get("stages", [])]
    return {**record, "stages": stages}


def images(directory: str) -> dict[str, bytes]:
    return {path.name: decode(path.read_bytes()).pixels.tobytes() for path in Path(directory).iterdir()}


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_is_as_without(picture: Picture, log: Path) -> None:
    items = [sample(name, path=str(picture(Path(name)))) for name in ("a.png", "bad.png", "c.png", "gone.png")]
    Path("gone.png").unlink()
    stage = Invert(log, variants=("@x", "@y"))
    near, carried = both(stage, items)
    assert near == carried
    assert len(near) == 7
    near, carried = both(stage, items)
    assert near == carried
    assert sum(bool(record.get("cached")) for record in carried) == 4
    assert "cached" not in str(both(stage, items, force=True))


def test_what_others_made_is_not_overwritten(picture: Picture, log: Path) -> None:
    items = [sample("a.png", path=str(picture(Path("a.png"))))]
    for name in ("near", "far"):
        picture(Path(name) / "a.png", seed=5)
    near, carried = both(Invert(log), items)
    assert near == carried
    assert "not made by dptools" in near[0]["error"]["message"]


def test_an_image_without_a_name_goes_by_the_one_in_its_record(picture: Picture, log: Path) -> None:
    data = encode(decode(picture(Path("a.png")).read_bytes()).pixels, {"schema": 1, "id": "inner.png", "source": "x"})
    items = list(open_source(["-"], io.BytesIO(data)).samples)
    near, carried = both(Invert(log), items)
    assert near == carried
    assert near[0]["path"] == "out/inner.png"
    near, carried = both(Invert(log), items)
    assert near == carried
    assert carried[0]["cached"]


def test_what_is_over_already_is_not_read(log: Path) -> None:
    failed = replace(sample("a.png"), reported=True).fail("dp-other", "X", "no")
    assert both(Invert(log), [failed])[0] == both(Invert(log), [failed])[1]
