"""Where samples come from: each form of input, and what is wrong with it."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dptools.pipe.sample import Sample
from dptools.pipe.sniff import InputFormat, sniff
from dptools.pipe.source import open_source, read_jsonl


def read(data: bytes = b"", *operands: str, form: InputFormat | None = None, null: bool = False) -> list[Sample]:
    return list(open_source(operands, io.BytesIO(data), form, null).samples)


def ids(found: list[Sample]) -> list[str]:
    return [sample.id for sample in found]


def image_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF", "JPEG2000"])
def test_an_image_on_stdin_is_known_by_its_first_bytes(kind: str) -> None:
    data = image_bytes(kind)
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
def test_sniffing(data: bytes, form: InputFormat) -> None:
    assert sniff(io.BytesIO(data))[0] is form


def test_sniffing_waits_for_no_more_than_it_needs() -> None:
    class Slow(io.RawIOBase):
        """A pipe whose writer has sent one short line and is busy with the next."""

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


def test_the_form_can_be_forced() -> None:
    assert ids(read(b"{curly}.png\n", form=InputFormat.PATHS)) == ["{curly}.png"]
    assert read(b"\x89PNG is a name\n", form=InputFormat.PATHS)[0].path == "\udc89PNG is a name"


def test_empty_stdin_is_an_empty_stream() -> None:
    for form in (None, *InputFormat):
        assert read(b"", form=form) == []
    assert open_source([], io.BytesIO(b"")).empty


def test_paths_end_in_newline_or_nul() -> None:
    assert ids(read(b"a.png\n\nb c.png")) == ["a.png", "b c.png"]
    assert ids(read(b"a\nb.png\0c.png\0", null=True)) == ["a\nb.png", "c.png"]


def test_a_directory_is_walked_in_order_and_only_for_images(tmp_path: Path, picture: Callable[..., Path]) -> None:
    for name in ("b/z.png", "b/a.JPEG", "a.png", "c/notes.txt", "c/.hidden.png", ".d/e.png", "b.png"):
        picture(tmp_path / name, format="PNG")
    found = read(b"", str(tmp_path))
    assert ids(found) == ["a.png", "b/a.JPEG", "b/z.png", "b.png"]
    assert found[1].path == str(tmp_path / "b/a.JPEG")


def test_a_pipe_among_the_files_is_left_alone_and_a_broken_link_is_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "link.png").symlink_to("nowhere")
    assert ids(read(b"", str(tmp_path))) == ["link.png"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path, picture: Callable[..., Path]) -> None:
    picture(tmp_path / "real" / "a.png")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    assert ids(read(b"", str(tmp_path))) == ["linked/a.png", "real/a.png"]


def test_a_walk_leaves_the_output_out(tmp_path: Path, picture: Callable[..., Path]) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "clean" / "a.png")
    for operand, expected in ((tmp_path, ["a.png"]), (tmp_path / "clean", ["a.png"])):
        source = open_source([str(operand)], io.BytesIO(), leave_out=[tmp_path / "clean"])
        assert ids(list(source.samples)) == expected


def test_a_directory_without_images_is_an_error_record(tmp_path: Path) -> None:
    (sample,) = read(b"", str(tmp_path))
    assert sample.record["error"]["message"] == "directory without images"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_directory_is_an_error_record(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    assert read(b"", str(tmp_path))[0].record["error"]["type"] == "PermissionError"


def test_a_file_operand_goes_by_its_name_and_a_listed_one_by_its_path() -> None:
    assert ids(read(b"", "some/where/a.png", "/b.png")) == ["a.png", "b.png"]
    assert ids(read(b"some/where/a.png\n././/b.png\n./.hidden.png\n")) == ["some/where/a.png", "b.png", ".hidden.png"]


def test_a_bad_line_is_an_error_record_that_names_it_and_the_stream_goes_on() -> None:
    found = list(read_jsonl(io.BytesIO(b'{"path": "a.png"}\noops\n{"path": "b.png"}\n')))
    assert [sample.failed for sample in found] == [False, True, False]
    assert found[1].record["error"]["message"].startswith("line 2: not valid JSON")
    assert found[1].id == "stdin:2"


def test_a_line_without_end_is_cut_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dptools.pipe.source.MAX_LINE", 100)
    long = b'{"path": "' + b"a" * 1000 + b'"}\n'
    found = list(read_jsonl(io.BytesIO(long + b'{"path": "b.png"}\n')))
    assert [sample.failed for sample in found] == [True, False]
    assert "longer than 100 bytes" in found[0].record["error"]["message"]


def test_broken_utf8_is_an_error_record() -> None:
    assert [sample.failed for sample in read_jsonl(io.BytesIO(b'{"path": "\xff.png"}\n'))] == [True]


def test_errors_of_earlier_tools_pass_as_reported() -> None:
    line = b'{"schema": 1, "id": "a", "error": {"stage": "dp-attack", "type": "T", "message": "m"}}\n'
    (sample,) = read_jsonl(io.BytesIO(line))
    assert sample.failed
    assert sample.reported
