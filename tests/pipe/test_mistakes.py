"""Input mistakes: one message that names what was given, and what to do."""

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from tars import jpeg, tar

from dptools.errors import SampleError, UsageError
from dptools.pipe.attempt import attempt
from dptools.pipe.concatenated import holds_several
from dptools.pipe.image import decode
from dptools.pipe.opening import open_sample
from dptools.pipe.sample import Sample
from dptools.pipe.sniff import InputFormat, sniff
from dptools.pipe.source import open_source, read_jsonl


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("https://example.org/a.png", ": URLs are not read; download the image first"),
        ("a.png\r", ": the name ends in a carriage return; convert the list of files with tr -d '\\r'"),
        ("a.png", ""),
    ],
)
def test_a_missing_file_with_a_mistaken_name_gives_a_hint(path: str, hint: str) -> None:
    (failed,) = attempt(lambda sample: [open_sample(sample, "dp-x")], Sample({"id": "a", "path": path}), "dp-x")
    assert failed.record["error"]["message"] == f"No such file or directory{hint}"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a.png\0b.png\0", "add -0"),
        (b"a.png\0" * 200, "add -0"),
        ("é.png\0".encode() * 200, "add -0"),
        (b"\1\2\3" + os.urandom(100), "binary data in an unknown format"),
        (b"%PDF-1.7\n%abc\n", "PDF file: render its pages first"),
        (zipped(), "ZIP archive: unpack it first"),
        (b"\xfd7zXZ\0" + bytes(600), "xz -dc"),
        (b"\x93NUMPY\1\0" + bytes(600), "NumPy array"),
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b'[{"path": "a.png"}]', r"jq -c '\.\[\]'"),
        (b'[\n  {\n  "path": "a.png"}]', r"jq -c '\.\[\]'"),
        (b'\xef\xbb\xbf[ {"path": "a.png"}]', r"jq -c '\.\[\]'"),
        (b'["a.png"]', r"jq -r '\.\[\]'"),
    ],
)
def test_standard_input_that_is_no_list_of_paths_is_refused_at_once(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_source([], io.BytesIO(data))


@pytest.mark.parametrize(
    "name", ["[a].png", "[[x]].png", "[", "%d.png", "PK.png", "a\tb.png", "a" * 3000, "Rar", "<b>"]
)
def test_unusual_names_are_still_paths(name: str) -> None:
    samples = open_source([], io.BytesIO(f"{name}\nb.png\n".encode())).samples
    assert [sample.path for sample in samples] == [name, "b.png"]


def test_form_that_is_given_is_not_questioned() -> None:
    samples = open_source([], io.BytesIO(b"%PDF-1.7\n"), form=InputFormat.PATHS).samples
    assert [sample.path for sample in samples] == ["%PDF-1.7"]


@pytest.mark.parametrize("text", ["[", '[{"path": "a.png"},\n{"path": "b.png"}]', json.dumps({"path": "a"}, indent=1)])
def test_json_that_is_not_one_record_per_line_gives_one_error(text: str) -> None:
    with pytest.raises(UsageError, match="not one record per line: convert it with jq -c"):
        list(read_jsonl(io.BytesIO(text.encode()), name="a.jsonl"))


def test_tar_file_is_detected_without_magic_number() -> None:
    old = bytearray(tar([("a.jpg", jpeg())]))
    old[257:265] = bytes(8)
    old[148:156] = b"%06o\0 " % (sum(old[:148]) + 8 * 32 + sum(old[156:512]))
    for data in (tar([("a.jpg", jpeg())]), bytes(old), gzip.compress(bytes(old))):
        assert sniff(io.BytesIO(data))[0] is InputFormat.TAR
        assert [sample.id for sample in open_source([], io.BytesIO(data)).samples] == ["a"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\0\x18ftypisom" + bytes(600), "video: extract its frames"),
        (zipped(), "ZIP archive"),
        (b"<html>not found</html>", "HTML"),
        (b"%!PS-Adobe", "PostScript"),
        (gzip.compress(png(), mtime=0), "gzip -dc"),
        (tar([("a.jpg", jpeg())]), "tar file"),
        (b'{"schema": 2, "id": "a.png"}\n', "a file of records: read it from standard input"),
        (b"nothing known", "not an image, or in an unsupported format"),
    ],
)
def test_file_that_is_no_image_is_named(data: bytes, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        decode(data)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.mov", "b.MOV", "c.mkv"], r"without images \(it holds 2 \.mov, 1 \.mkv\); extract the frames first"),
        (["x.tar", "y.tar"], "name shards"),
        (["x/a.mp4"], "extract the frames"),
        (["notes.xyz"], r"without images \(it holds 1 \.xyz\)$"),
        ([".hidden.mp4"], "directory without images$"),
    ],
)
def test_directory_without_images_says_what_it_holds(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (sample,) = open_source([str(tmp_path)], io.BytesIO()).samples
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(sample.record["error"]["message"])


def test_images_in_a_row_are_refused() -> None:
    for first in (jpeg(), png()):
        for second in (jpeg(1), png()):
            (sample,) = open_source([], io.BytesIO(first + second)).samples
            assert sample.record["error"]["type"] == "SeveralImages"
        (sample,) = open_source([], io.BytesIO(first + b"trailing data")).samples
        assert not sample.failed


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": b"Exif\0\0" + jpeg()}, {"comment": jpeg()}, {}])
def test_one_jpeg_is_one_image(options: dict[str, object]) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(jpeg(size=100))).save(buffer, "JPEG", **options)  # type: ignore[arg-type]
    assert not holds_several(buffer.getvalue())
    assert holds_several(buffer.getvalue() + jpeg())
    assert not any(holds_several(buffer.getvalue()[:length]) for length in range(0, len(buffer.getvalue()), 7))


def test_photograph_with_several_pictures_is_one_image() -> None:
    buffer = io.BytesIO()
    first, second = (Image.open(io.BytesIO(jpeg(seed))) for seed in (0, 1))
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    assert not holds_several(buffer.getvalue())
