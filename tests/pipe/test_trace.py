"""Traces: the sidecar of each image, its reuse, and the file that collects all of them."""

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from toys import Invert, InvertProcessor, sample

from dptools.engine.inline import inline
from dptools.errors import SampleError, SetupError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.image import decode
from dptools.pipe.record import SCHEMA_VERSION
from dptools.pipe.run import emit_lines, run
from dptools.pipe.sample import Sample
from dptools.pipe.shipping import shipping
from dptools.pipe.sidecar import write_output
from dptools.pipe.sink import place
from dptools.pipe.trace import traced

Picture = Callable[..., Path]
OUT = Path("out")


@dataclass(frozen=True)
class TracedInvert(Invert):
    """A tool with two trace lines for each image, or none for an image whose id contains "quiet"."""

    trace: Path | None = None

    def load(self) -> "TracedInvertProcessor":
        return TracedInvertProcessor(self)


@dataclass(frozen=True)
class TracedInvertProcessor(InvertProcessor):
    """The processor of `TracedInvert`."""

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        for result in super().__call__(samples):
            points = [{"step": step, "value": self.options.strength * 0.1 + step} for step in (1, 2)]
            trace = {} if "quiet" in result.id or self.options.trace is None else {"trace": points}
            yield result.update(invert={**result.record["invert"], **trace})


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log").touch()


@pytest.fixture
def items(picture: Picture) -> list[Sample]:
    attack = {"name": "gs", "params": {}}
    return [
        sample("a.png", path=str(picture(Path("a.png"))), label=3, attack=attack),
        sample("b.png", path=str(picture(Path("b.png"), seed=1))),
    ]


def process(items: list[Sample], strength: int = 1, trace: bool = True, engine: Any = inline) -> list[dict[str, Any]]:
    """Run the tool into OUT and the trace into ``trace.jsonl``; return the records."""
    options = TracedInvert(Path("log"), strength=strength, trace=Path("trace.jsonl") if trace else None)
    stream = io.BytesIO()
    with traced(emit_lines(stream), Path("trace.jsonl")) as emit:
        run(CachedFileStage(options, OUT), items, engine, emit, lambda _: None)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def trace_file() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("trace.jsonl").read_text().splitlines()]


def test_trace_goes_to_the_file_and_to_a_sidecar_of_each_image(items: list[Sample]) -> None:
    records = process(items)
    assert trace_file() == [
        {"id": "a.png", "source": "a.png", "label": 3, "attack": "gs", "step": 1, "value": 1.1},
        {"id": "a.png", "source": "a.png", "label": 3, "attack": "gs", "step": 2, "value": 2.1},
        {"id": "b.png", "source": "b.png", "step": 1, "value": 1.1},
        {"id": "b.png", "source": "b.png", "step": 2, "value": 2.1},
    ]
    sidecars = [Path(f"{record['path']}.trace.jsonl").read_bytes() for record in records]
    assert b"".join(sidecars) == Path("trace.jsonl").read_bytes()
    for record in records:
        embedded = decode(Path(record["path"]).read_bytes()).record
        assert embedded is not None
        assert "trace" not in record["invert"]
        assert "trace" not in embedded["invert"]


def test_reused_output_has_the_trace_of_its_sidecar(items: list[Sample]) -> None:
    process(items)
    before = Path("trace.jsonl").read_bytes()
    records = process(items)
    assert all(record["cached"] for record in records)
    assert Path("trace.jsonl").read_bytes() == before


def test_resumed_run_has_the_same_trace(items: list[Sample]) -> None:
    process(items)
    before = Path("trace.jsonl").read_bytes()
    (OUT / "a.png").unlink()
    records = process(items)
    assert ["cached" in record for record in records] == [False, True]
    assert Path("trace.jsonl").read_bytes() == before


@pytest.mark.parametrize("content", [None, b'{"step": 1', b"[1]\n"])
def test_output_without_a_valid_sidecar_is_made_again(items: list[Sample], content: bytes | None) -> None:
    process(items)
    before = Path("trace.jsonl").read_bytes()
    sidecar = OUT / "a.png.trace.jsonl"
    sidecar.unlink() if content is None else sidecar.write_bytes(content)
    records = process(items)
    assert ["cached" in record for record in records] == [False, True]
    assert Path("trace.jsonl").read_bytes() == before


def test_sidecar_is_not_needed_if_no_trace_is_requested(items: list[Sample]) -> None:
    process(items)
    (OUT / "a.png.trace.jsonl").unlink()
    assert all(record["cached"] for record in process(items, trace=False))
    assert trace_file() == []
    assert (OUT / "b.png.trace.jsonl").exists()


def test_image_without_trace_lines_is_reused(picture: Picture) -> None:
    item = sample("quiet.png", path=str(picture(Path("quiet.png"))))
    assert ["cached" in process([item])[0] for _ in range(2)] == [False, True]
    assert trace_file() == []


def test_image_made_without_a_trace_removes_the_sidecar_of_the_old_one(items: list[Sample]) -> None:
    process(items)
    process(items, strength=2, trace=False)
    assert sorted(path.name for path in OUT.iterdir()) == ["a.png", "b.png"]
    process(items, strength=2)
    assert {line["value"] for line in trace_file()} == {1.2, 2.2}


@pytest.mark.parametrize(("renamed", "remaining"), [(0, 1), (1, 2)])
def test_image_never_gets_the_trace_of_an_interrupted_run(
    items: list[Sample], monkeypatch: pytest.MonkeyPatch, renamed: int, remaining: int
) -> None:
    """The run is killed after it has renamed no file, or only the image. An image of this strength remains."""
    calls = count()

    def place_or_die(temporary: str, path: Path, check: Any = None) -> None:
        if next(calls) == renamed:
            raise SampleError("WriteError", "killed")
        place(temporary, path, check)

    process(items, strength=remaining)
    expected = Path("trace.jsonl").read_bytes()
    process(items, strength=1)
    with monkeypatch.context() as patched:
        patched.setattr("dptools.pipe.sidecar.place", place_or_die)
        assert "error" in process(items[:1], strength=2)[0]
    assert trace_file() == []
    process(items, strength=remaining)
    assert Path("trace.jsonl").read_bytes() == expected


def test_an_output_stays_if_its_sidecar_cannot_be_written(items: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    process(items)
    before = {path.name: path.read_bytes() for path in OUT.iterdir()}
    make = tempfile.mkstemp

    def full(*, prefix: str, **options: Any) -> tuple[int, str]:
        if ".trace" in prefix and options["dir"] == OUT:
            raise OSError(28, "No space left on device")
        return make(prefix=prefix, **options)

    monkeypatch.setattr(tempfile, "mkstemp", full)
    assert all("No space left" in record["error"]["message"] for record in process(items, strength=2))
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == before


@pytest.mark.parametrize("force", [False, True])
def test_a_file_of_the_user_with_the_name_of_a_sidecar_is_not_removed(items: list[Sample], force: bool) -> None:
    OUT.mkdir()
    for content in ("my notes\n", '{"mine": 1}\n'):
        (OUT / "a.png.trace.jsonl").write_text(content)
        (done,) = CachedFileStage(Invert(Path("log")), OUT, force).build()(items[:1])
        assert not done.failed
        assert (OUT / "a.png.trace.jsonl").read_text() == content


def test_a_sidecar_stays_if_its_image_is_not_replaced(items: list[Sample], picture: Picture) -> None:
    process(items)
    picture(Path("other/a.png"), seed=5)
    (record, *_) = process([sample("a.png", path="other/a.png")], trace=False)
    assert record["error"]["type"] == "OtherInput"
    assert (OUT / "a.png.trace.jsonl").exists()
    with pytest.raises(SampleError, match="kept"):
        write_output(OUT / "a.png", b"new", None, OUT, keep)
    assert (OUT / "a.png.trace.jsonl").exists()


def keep() -> None:
    raise SampleError("OtherInput", "kept")


def test_failed_image_has_no_trace(picture: Picture) -> None:
    record = process([sample("bad.png", path=str(picture(Path("bad.png"))))])[0]
    assert "error" in record
    assert trace_file() == []
    assert not OUT.exists()


def test_shipped_output_has_the_same_sidecar(items: list[Sample]) -> None:
    expected = process(items)
    files = {path.name: path.read_bytes() for path in OUT.iterdir()}
    trace = Path("trace.jsonl").read_bytes()
    for path in OUT.iterdir():
        path.unlink()
    for cached in (False, True):
        records = process(items, engine=shipping(inline))
        assert ["cached" in record for record in records] == [cached, cached]
        assert [record["invert"] for record in records] == [record["invert"] for record in expected]
        assert {path.name: path.read_bytes() for path in OUT.iterdir()} == files
        assert Path("trace.jsonl").read_bytes() == trace
    (OUT / "a.png.trace.jsonl").unlink()
    assert ["cached" in record for record in process(items, engine=shipping(inline))] == [False, True]
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == files


def test_image_on_stdout_has_a_trace_but_no_sidecar(picture: Picture) -> None:
    data = picture(Path("a.png")).read_bytes()
    record = {"schema": SCHEMA_VERSION, "id": "stdin", "path": "-", "source": "-"}
    worker = CachedFileStage(TracedInvert(Path("log"), trace=Path("trace.jsonl"))).build()
    (done,) = worker([Sample(record, encoded=data)])
    assert done.encoded is not None
    assert done.trace is not None
    assert [line["step"] for line in done.trace] == [1, 2]
    assert "trace" not in done.record["invert"]


def test_name_too_long_for_a_sidecar_is_refused_before_processing(picture: Picture) -> None:
    record = process([sample("x" * 250 + ".png", path=str(picture(Path("a.png"))))])[0]
    assert "more than 255 bytes" in record["error"]["message"]
    assert Path("log").read_text() == ""


def test_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "n").symlink_to(tmp_path / "elsewhere")
    names = ("a.png", "a.png.trace.jsonl")
    for name in names:
        (tmp_path / "elsewhere" / name).write_text("old")
    for trace in (None, [{"step": 1}]):
        with pytest.raises(SampleError, match="leads out of"):
            write_output(tmp_path / "out" / "n" / "a.png", b"new", trace, tmp_path / "out")
    assert [(tmp_path / "elsewhere" / name).read_text() for name in names] == ["old", "old"]


def test_a_trace_file_that_cannot_be_written_is_a_setup_error() -> None:
    with pytest.raises(SetupError, match="nosuch/x: No such file") as caught, traced(lambda _: None, Path("nosuch/x")):
        pass
    assert caught.value.exit_status == 3


def test_trace_file_has_the_permissions_of_a_new_file(items: list[Sample]) -> None:
    mask = os.umask(0o077)
    try:
        process(items)
    finally:
        os.umask(mask)
    assert Path("trace.jsonl").stat().st_mode & 0o777 == 0o600
