"""Sources: each format of input, and its errors."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image
from tars import tar

from dptools.pipe.image import decode
from dptools.pipe.sample import Sample
from dptools.pipe.sniff import InputFormat, sniff
from dptools.pipe.source import open_source, read_jsonl


def read(data: bytes = b"", *operands: str, form: InputFormat | None = None, null: bool = False) -> list[Sample]:
    return list(open_source(operands, io.BytesIO(data), form, null).samples)


def ids(samples: list[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def image_bytes(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, kind, **options)
    return buffer.getvalue()


KINDS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF", "JPEG2000")),
    ("TIFF", {"big_tiff": True}),
    ("JPEG2000", {"no_jp2": True}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_image_on_stdin_is_detected(kind: str, options: dict[str, Any]) -> None:
    data = image_bytes(kind, **options)
    assert decode(data).info.kind == kind
    source = open_source([], io.BytesIO(data))
    assert source.one_image
    assert [sample.encoded for sample in source.samples] == [data]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b'{"path": "a.png"}\n', InputFormat.JSONL),
        (b'\xef\xbb\xbf{"path": "a.png"}\n', InputFormat.JSONL),
        (b'\n  {"path": "a.png"}\n', InputFormat.JSONL),
        (b"a.png\n", InputFormat.PATHS),
        (b"BMW.png\n", InputFormat.PATHS),
        (b"P5\n", InputFormat.IMAGE),
        (b"Pictures/a.png\n", InputFormat.PATHS),
        (b"RIFFS and more.png\n", InputFormat.PATHS),
        (b"\n" * 30 + b'{"path": "a.png"}', InputFormat.JSONL),
        (b"\xef\xbb\xbf\n{}", InputFormat.JSONL),
        (b"\n" * 200_000 + b"{}", InputFormat.JSONL),
        (b"  a.png\n", InputFormat.PATHS),
        (b"", InputFormat.PATHS),
    ],
)
def test_format_of_stdin_is_detected(data: bytes, form: InputFormat) -> None:
    assert sniff(io.BytesIO(data))[0] is form


def test_detection_reads_no_further_than_necessary() -> None:
    class Slow(io.RawIOBase):
        """A pipe whose writer has sent one short line so far."""

        def __init__(self, data: bytes) -> None:
            self.data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            chunk = self.data.read(1)
            assert chunk, "read past what the writer had sent"
            buffer[:1] = chunk
            return 1

    for line in (b"a.png\n", b"P.png\n", b"B\n"):
        samples = open_source([], io.BufferedReader(Slow(line), 1)).samples
        assert next(samples).path == line.decode().strip()


def test_format_can_be_given() -> None:
    assert ids(read(b"{curly}.png\n", form=InputFormat.PATHS)) == ["{curly}.png"]
    assert read(b"\x89PNG is a name\n", form=InputFormat.PATHS)[0].path == "\udc89PNG is a name"


def test_empty_stdin_gives_no_samples() -> None:
    for form in (None, *InputFormat):
        assert read(b"", form=form) == []
    assert open_source([], io.BytesIO(b"")).empty


def test_paths_end_in_newline_or_nul() -> None:
    assert ids(read(b"a.png\n\nb c.png")) == ["a.png", "b c.png"]
    assert ids(read(b"a\nb.png\0c.png\0", null=True)) == ["a\nb.png", "c.png"]


def test_walk_yields_images_in_order(tmp_path: Path, picture: Callable[..., Path]) -> None:
    for name in ("b/z.png", "b/a.JPEG", "a.png", "c/notes.txt", "c/.hidden.png", ".d/e.png", "b.png"):
        picture(tmp_path / name, format="PNG")
    samples = read(b"", str(tmp_path))
    assert ids(samples) == ["a.png", "b/a.JPEG", "b/z.png", "b.png"]
    assert samples[1].path == str(tmp_path / "b/a.JPEG")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [("fifo", image_bytes("PNG"), "fifo"), ("s.tar", tar([("a.png", image_bytes("PNG"))]), "s.tar#a")],
)
def test_a_named_pipe_has_its_base_name_as_id(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    os.mkfifo(tmp_path / name)
    writer = Thread(target=(tmp_path / name).write_bytes, args=[data])
    writer.start()
    assert ids(read(b"", str(tmp_path / name))) == [expected]
    writer.join()


def test_walk_skips_pipes_and_yields_broken_links(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "link.png").symlink_to("nowhere")
    assert ids(read(b"", str(tmp_path))) == ["link.png"]


def test_walk_follows_links_but_not_cycles(tmp_path: Path, picture: Callable[..., Path]) -> None:
    picture(tmp_path / "real" / "a.png")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    assert ids(read(b"", str(tmp_path))) == ["linked/a.png", "real/a.png"]


def test_walk_skips_the_output_directory(tmp_path: Path, picture: Callable[..., Path]) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "clean" / "a.png")
    for operand, expected in ((tmp_path, ["a.png"]), (tmp_path / "clean", ["a.png"])):
        source = open_source([str(operand)], io.BytesIO(), leave_out=[tmp_path / "clean"])
        assert ids(list(source.samples)) == expected


def test_directory_without_images_gives_an_error_record(tmp_path: Path) -> None:
    (sample,) = read(b"", str(tmp_path))
    assert sample.record["error"]["message"] == "directory without images"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every directory")
def test_unreadable_directory_gives_an_error_record(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    assert read(b"", str(tmp_path))[0].record["error"]["type"] == "PermissionError"


def test_id_is_the_name_of_an_operand_or_the_path_of_a_listed_file() -> None:
    assert ids(read(b"", "some/where/a.png", "/b.png")) == ["a.png", "b.png"]
    assert ids(read(b"some/where/a.png\n././/b.png\n./.hidden.png\n")) == ["some/where/a.png", "b.png", ".hidden.png"]


def test_invalid_line_gives_an_error_record_and_reading_continues() -> None:
    samples = list(read_jsonl(io.BytesIO(b'{"path": "a.png"}\noops\n{"path": "b.png"}\n')))
    assert [sample.failed for sample in samples] == [False, True, False]
    assert samples[1].record["error"]["message"].startswith("line 2: not valid JSON")
    assert samples[1].id == "stdin:2"


def test_overlong_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dptools.pipe.source.MAX_LINE", 100)
    line = b'{"path": "' + b"a" * 1000 + b'"}\n'
    samples = list(read_jsonl(io.BytesIO(line + b'{"path": "b.png"}\n')))
    assert [sample.failed for sample in samples] == [True, False]
    assert "longer than 100 bytes" in samples[0].record["error"]["message"]


def test_invalid_utf8_gives_an_error_record() -> None:
    assert [sample.failed for sample in read_jsonl(io.BytesIO(b'{"path": "\xff.png"}\n'))] == [True]


def test_errors_of_earlier_tools_count_as_reported() -> None:
    line = b'{"schema": 2, "id": "a", "error": {"stage": "dp-attack", "type": "T", "message": "m"}}\n'
    (sample,) = read_jsonl(io.BytesIO(line))
    assert sample.failed
    assert sample.reported
