"""Malicious and damaged input: each gives one record, the stream continues, and no file is written outside -o."""

import io
import json
import os
import random
import shutil
import string
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from dptools.errors import SampleError
from dptools.pipe.encoding import encode
from dptools.pipe.image import decode
from dptools.pipe.record import MAX_LINE, SCHEMA_VERSION
from dptools.pipe.source import read_jsonl

CHEAP = "dp-denoise --method bits:4 -o out"
RNG = np.random.default_rng(0)
PIXELS = Image.fromarray(RNG.integers(0, 256, (33, 47, 3), dtype=np.uint8))

FORMATS = {
    "png": {}, "jpg": {}, "webp": {}, "gif": {}, "bmp": {}, "tiff": {}, "ppm": {}, "jp2": {}, "tga": {}, "ico": {},
    "jfif": {}, "avif": {},
}  # fmt: skip


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """Return the image as a file of a format."""
    file = io.BytesIO()
    image.save(
        file, {"jpg": "JPEG", "jfif": "JPEG", "jp2": "JPEG2000", "tga": "TGA"}.get(form, form.upper()), **options
    )
    return file.getvalue()


def unusual() -> dict[str, tuple[bytes, bool]]:
    """Return unusual files by name, each with whether it is a readable image."""
    grey16 = Image.fromarray(RNG.integers(0, 65536, (20, 20), dtype=np.uint16))
    palette = PIXELS.quantize(16)
    exif = {turn: Image.Exif() for turn in range(1, 9)}
    for turn, tags in exif.items():
        tags[0x0112] = turn
    frames = [PIXELS, PIXELS.rotate(90)]
    bomb = Image.new("1", (30_000, 30_000))
    png = saved(PIXELS, "png")
    return {
        **{f"whole-{form}.{form}": (saved(PIXELS, form, **options), True) for form, options in FORMATS.items()},
        **{f"turn{turn}.jpg": (saved(PIXELS, "jpg", exif=tags), True) for turn, tags in exif.items()},
        "turn99.jpg": (saved(PIXELS, "jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"), True),
        "deep.png": (saved(grey16, "png"), True),
        "cmyk.jpg": (saved(PIXELS.convert("CMYK"), "jpg"), True),
        "cmyk-tiff.tiff": (saved(PIXELS.convert("CMYK"), "tiff"), True),
        "la.png": (saved(PIXELS.convert("LA"), "png"), True),
        "rgba.webp": (saved(PIXELS.convert("RGBA"), "webp"), True),
        "palette-gif.gif": (saved(palette, "gif", transparency=3), True),
        "palette.png": (saved(palette, "png", transparency=bytes(range(16))), True),
        "one-bit.png": (saved(PIXELS.convert("1"), "png"), True),
        "frames-gif.gif": (saved(PIXELS, "gif", save_all=True, append_images=frames), True),
        "frames.png": (saved(PIXELS, "png", save_all=True, append_images=frames), True),
        "profile.jpg": (saved(PIXELS, "jpg", icc_profile=b"no profile at all"), True),
        "one.png": (saved(Image.new("RGB", (1, 1)), "png"), True),
        "wide.png": (saved(Image.new("L", (65_535, 1)), "png"), True),
        "tall.png": (saved(Image.new("L", (1, 65_535)), "png"), True),
        "liar.png": (png, True),
        "html.jpg": (b"<html>not found</html>", False),
        "empty.png": (b"", False),
        "zero.png": (bytes(5000), False),
        "bomb.png": (saved(bomb, "png"), False),
        "huge-sides.png": (png[:16] + b"\x7f\xff\xff\xff" * 2 + png[24:], False),
        "text-bomb.png": (with_chunk(png, b"zTXt", b"dptools\0\0" + zlib.compress(bytes(80_000_000))), False),
        "pickle.png": (b"\x80\x04cposix\nsystem\n(X\x0a\x00\x00\x00touch ownedtR.", False),
        "script.svg.png": (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", False),
        "program.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(owned) (w) file\n", False),
        "float.tiff": (saved(Image.fromarray(RNG.random((9, 9), dtype=np.float32)), "tiff"), False),
    }


def with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """Return a PNG file with an additional chunk after its header."""
    chunk = len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


def damaged(count: int) -> dict[str, bytes]:
    """Return files of all formats by name, truncated at a random byte or with random bits flipped."""
    chance = random.Random(0)
    return {
        f"{form}{number:03}.{form}": corrupt(saved(PIXELS, form, **options), number % 2 == 1, chance)
        for form, options in FORMATS.items()
        for number in range(count)
    }


def corrupt(whole: bytes, truncate: bool, chance: random.Random) -> bytes:
    """Return the bytes with up to eight bits flipped, truncated first if asked."""
    data = bytearray(whole[: chance.randrange(len(whole))] if truncate else whole)
    for _ in range(chance.randrange(1, 9) if data else 0):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


ANIMATED = {"save_all": True, "append_images": [PIXELS.rotate(90), PIXELS.rotate(180)]}
# Formats that a search of a directory does not include, and other encodings of formats that it does.
RARE = {
    **{form: (PIXELS, form, {}) for form in ("dib", "dds", "pcx", "sgi", "qoi")},
    **{
        f"tiff {packing}": (PIXELS, "tiff", {"compression": packing})
        for packing in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
    },
    **{f"animated {form}": (PIXELS, form, ANIMATED) for form in ("webp", "gif", "png", "avif")},
    "fax": (PIXELS.convert("1"), "tiff", {"compression": "group4"}),
    "xbm": (PIXELS.convert("1"), "xbm", {}),
    "small icns": (PIXELS.resize((16, 16)), "icns", {"sizes": [(16, 16)]}),
    "progressive jpeg": (PIXELS, "jpg", {"progressive": True}),
    "interlaced palette": (PIXELS.quantize(7), "png", {"bits": 4}),
}  # fmt: skip


@pytest.mark.parametrize("kind", RARE)
def test_a_rare_format_is_read_and_a_damaged_file_of_it_is_at_most_rejected(kind: str) -> None:
    image, form, options = RARE[kind]
    whole = saved(image, form, **options)
    assert decode(whole).pixels.shape[2] == 3
    chance = random.Random(0)
    for number in range(60):
        with suppress(SampleError):
            decode(corrupt(whole, number % 2 == 1, chance))


def tree(directory: Path) -> set[str]:
    """Return the relative paths of all files and directories below a directory."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def test_every_unusual_file_gives_one_record(sh: Run, tmp_path: Path) -> None:
    files = unusual()
    (tmp_path / "in").mkdir()
    for name, (data, _) in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    ran = sh(f"{CHEAP} in")
    found = {record["id"]: record for record in map(json.loads, ran.stdout.splitlines())}
    good = {name for name, record in found.items() if "error" not in record}
    assert good == {name for name, (_, fine) in files.items() if fine}, ran.stderr
    assert set(found) == set(files)
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("\n") == len(found) - len(good)
    assert {path for path in tree(tmp_path) if not path.startswith(("in", "out"))} == set()


@pytest.mark.parametrize("tool", [CHEAP, "dp-classify -k 1"])
def test_a_damaged_file_gives_one_message_and_one_record(sh: Run, tmp_path: Path, tool: str) -> None:
    files = damaged(20)
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    ran = sh(f"{tool} in")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record["id"] for record in found] == sorted(files)
    bad = [record for record in found if "error" in record]
    assert len(bad) > len(files) / 4
    assert not [record for record in bad if "unexpected" in record["error"]["message"]]
    assert ran.stderr.count("\n") == len(bad)
    assert not [path for path in tree(tmp_path) if path.endswith(".part")]


NASTY = [
    "\ud800",
    "loop/x",
    "a" * 5000,
    "..",
    "../x",
    "/abs/x",
    "a/../../b",
    "~/x",
    "x\ny",
    "\udcff.png",
    "con",
    "a" * 300,
    "-o",
    "",
    ".",
    "a\x00b",
    "$(id)",
]


def test_no_id_and_no_path_writes_outside_the_output_directory(sh: Run, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "out").mkdir(parents=True)
    (work / "elsewhere").mkdir()
    (work / "out" / "link").symlink_to("../elsewhere")
    (work / "out" / "loop").symlink_to("loop")
    PIXELS.save(tmp_path / "secret.png")
    PIXELS.save(work / "a.png")
    lines = [{"id": name, "path": path} for name in [*NASTY, "link/x"] for path in ("a.png", "../secret.png")]
    lines += [{"path": name} for name in [*NASTY, "/etc/passwd", "/dev/zero", "out", "http://127.0.0.1/x.png"]]
    (work / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = tree(tmp_path)
    ran = sh(f"{CHEAP} < in.jsonl", cwd=work, timeout=60)
    assert ran.stdout.count("\n") == len(lines), ran.stderr
    assert "Traceback" not in ran.stderr
    assert not [path for path in tree(tmp_path) - before if not path.startswith("work/out/")]
    assert not list((work / "elsewhere").iterdir())
    assert not os.path.exists("/abs/x.png")


def test_a_malicious_record_inside_a_png_writes_no_file_elsewhere(sh: Run, tmp_path: Path) -> None:
    for number, record in enumerate(
        [
            {"id": "../../x", "source": "/etc/passwd", "label": 10**30},
            {"id": 7, "stages": 3, "label": [], "attack": "x"},
            {"id": "x", "source": "y", "path": "/etc/passwd", "error": {"stage": 1}, "label": "nothing"},
            {"schema": 99, "id": "x" * 5000, "source": "x"},
        ]
    ):
        info = PngImagePlugin.PngInfo()
        info.add_itxt("dptools", json.dumps({"schema": SCHEMA_VERSION, **record}))
        PIXELS.save(tmp_path / f"{number}.png", pnginfo=info)
    before = tree(tmp_path)
    ran = sh(f"{CHEAP} *.png | dp-classify; for f in *.png; do dp-denoise --method bits:4 < $f > $f.out; done")
    assert ran.stdout.count("\n") == 4
    assert "Traceback" not in ran.stderr
    assert {path for path in tree(tmp_path) - before if not path.startswith("out")} == {
        f"{n}.png.out" for n in range(4)
    }


LINES = [
    b'{"path": "a.png"', b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000, b"null", b"[]", b'"a.png"', b"3", b"{}",
    b'{"path": 3}', b'{"path": "a.png", "id": 3}', b'{"path": "a.png", "label": 1e999}', b'{"path": "a.png", "x": NaN}',
    b'{"path": "a.png", "schema": 1}', b'{"path": "a.png", "stages": {}}', b'{"path": "a.png", "stages": [3]}',
    b'{"path": "a.png", "label": 123456789012345678901234567890}', b'{"path": "a.png", "attack": {"name": 3}}',
    b'{"path": "\\ud800"}', b'{"path": "\\ud800/a.png"}', b'{"path": "a.png", "n": 1e999}', b'{"path": "fifo"}',
    b'{"path": "/dev/zero"}', b'{"path": "/dev/fd/3"}', b'{"path": "/dev/fd/6"}', b'{"path": "."}',
    b'{"path": "a.png", "path": "b.png"}', b'{"path": "a.png", "n": ' + b"9" * 5000 + b"}",
]  # fmt: skip


def test_invalid_lines_do_not_end_the_stream(sh: Run, tmp_path: Path) -> None:
    PIXELS.save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([*LINES, b'{"path": "a.png", "id": "last"}', b""]))
    for tool in (CHEAP, "dp-classify", "dp-attack -a gs --label 3 -o adv", "dp-mapsext -o maps"):
        ran = sh(f"{tool} < in.jsonl")
        found = [json.loads(line) for line in ran.stdout.splitlines()]
        assert ran.returncode == 1
        assert len(found) == len(LINES) + 1
        assert "Traceback" not in ran.stderr
        assert "unexpected" not in ran.stderr, ran.stderr
        assert found[-1]["id"].startswith("last")
        assert "error" not in found[-1]
    ran = sh("dp-eval --table < in.jsonl")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr


def test_a_line_of_100_mb_is_rejected_within_limited_memory(sh: Run, tmp_path: Path) -> None:
    PIXELS.save(tmp_path / "a.png")
    with (tmp_path / "in.jsonl").open("wb") as file:
        file.write(b'{"path": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"path": "a.png"}\n')
    ran = sh(f"(ulimit -v 2500000; {CHEAP} --engine inline) < in.jsonl")
    bad, good = (json.loads(line) for line in ran.stdout.splitlines())
    assert bad["error"]["message"] == f"line 1: longer than {MAX_LINE:,} bytes"
    assert "error" not in good


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["schema", "id", "path", "source", "label", "stages", "attack", "denoise", "classify", "error", "skipped", "x"]


@settings(max_examples=400)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), json_values) | json_values, max_size=5), st.binary(max_size=40))
def test_every_line_gives_a_record_or_an_error(values: list[Any], noise: bytes) -> None:
    # A stream that begins with an array is refused as a whole (tests/pipe/test_mistakes.py).
    lines = [b"1"] + [json.dumps(value).encode() for value in values] + [noise.replace(b"\n", b"")]
    found = list(read_jsonl(io.BytesIO(b"\n".join(lines))))
    assert len(found) == sum(bool(line.removeprefix(b"\xef\xbb\xbf").strip()) for line in lines)
    for sample in found:
        assert isinstance(sample.id, str)
        json.dumps(sample.record, allow_nan=False)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_an_image_with_any_embedded_record_is_decoded(record: dict[str, Any]) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("dptools", json.dumps(record))
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=info)
    image = decode(file.getvalue())
    assert image.record is None or isinstance(image.record["id"], str)


@settings(max_examples=200)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"BM"]),
)
def test_any_bytes_are_decoded_or_raise_a_sample_error(data: bytes, start: bytes) -> None:
    """Any other exception fails the test."""
    with suppress(SampleError):
        decode(start + data)


def test_the_second_of_two_images_with_the_same_id_is_rejected(sh: Run, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(
            encode(np.asarray(PIXELS), {"schema": SCHEMA_VERSION, "id": "same.png", "source": name})
        )
    ran = sh(f"{CHEAP} <(cat a) <(cat b) <(:)")
    one, two, empty = (json.loads(line) for line in ran.stdout.splitlines())
    assert (one["path"], two["error"]["type"], empty["error"]["type"]) == ("out/same.png", "SameOutput", "EmptyFile")
    assert ran.returncode == 1


@pytest.mark.parametrize(
    "operand", ["- < /dev/zero", "/dev/fd/5 5< /dev/zero", "< <(cat a.png /dev/zero)", "/dev/zero"]
)
def test_endless_input_is_rejected(sh: Run, tmp_path: Path, operand: str) -> None:
    PIXELS.save(tmp_path / "a.png")
    ran = sh(f"(ulimit -v 4000000; {CHEAP} --engine inline {operand})")
    assert ran.returncode == 1
    messages = ("larger than 1,073,741,824 bytes", "not a regular file", "more than 16,777,216 zeros in a row")
    assert any(message in ran.stderr for message in messages)
    assert ran.stderr.count("\n") == 1


def test_standard_input_and_a_named_pipe_as_operands(sh: Run, tmp_path: Path) -> None:
    PIXELS.save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "fifo")
    ran = sh(f"cat a.png > fifo & {CHEAP} -j 1 /dev/stdin fifo < a.png")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record.get("error") for record in found] == [None, None]
    assert ran.returncode == 0


def test_a_small_image_is_denoised_within_limited_memory(sh: Run, tmp_path: Path) -> None:
    PIXELS.save(tmp_path / "a.png")
    ran = sh(f"(ulimit -v 900000; {CHEAP} --engine inline a.png)")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("form", ["png", "webp", "jpg"])
def test_invalid_exif_data_does_not_affect_the_pixels(form: str) -> None:
    image = decode(saved(PIXELS, form, exif=b"Exif\0\0nonsense" if form == "jpg" else b"nonsense"))
    assert image.pixels.shape == (33, 47, 3)


def test_frames_are_counted_up_to_1000() -> None:
    small = Image.new("RGB", (1, 1))
    (note,) = decode(saved(small, "tiff", save_all=True, append_images=[small] * 1500)).notes
    assert note == "first of 1000 or more frames"
    (note,) = decode(saved(small, "tiff", save_all=True, append_images=[small] * 4)).notes
    assert note == "first of 5 frames"


def test_a_record_whose_output_would_be_too_long_is_rejected(sh: Run, tmp_path: Path) -> None:
    PIXELS.save(tmp_path / "a.png")
    (tmp_path / "in.jsonl").write_text('{"path": "a.png", "x": "' + "é" * 6_000_000 + '"}\n{"path": "a.png"}\n')
    ran = sh(f"{CHEAP} < in.jsonl | dp-classify -k 1")
    bad, good = (json.loads(line) for line in ran.stdout.splitlines())
    assert (bad["error"]["stage"], bad["id"]) == ("dp-denoise", "stdin:1")
    assert "classify" in good


def test_an_embedded_record_that_is_too_long_is_ignored() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("dptools", json.dumps({"id": "a", "source": "a", "x": "y" * MAX_LINE}))
    image = decode(saved(PIXELS, "png", pnginfo=info))
    assert image.record is None
    assert "embedded record ignored: longer than" in image.notes[0]


@pytest.mark.skipif(not shutil.which("script"), reason="needs script")
def test_control_characters_in_an_id_do_not_reach_the_terminal(sh: Run, tmp_path: Path) -> None:
    PIXELS.save(tmp_path / "a.png")
    (tmp_path / "in.jsonl").write_text('{"path": "a.png", "id": "\\u001b]0;OWNED\\u0007"}\n')
    shown = sh(f"script -qec '{CHEAP} < in.jsonl > out.jsonl' /dev/null").stdout
    assert r"\x1b]0;OWNED\x07" in shown
    assert "\x1b]0;OWNED" not in shown


def test_weights_are_not_unpickled(sh: Run, tmp_path: Path, dog: Path) -> None:
    """A pickle that would create a file is rejected as weights, and the file is not created."""
    (tmp_path / "w.pt").write_bytes(b"cposix\nsystem\n(S'touch owned'\ntR.")
    for tool in ("dp-classify --model resnet18", "dp-attack -a gs --model resnet18 -o out --label 3"):
        ran = sh(f"{tool} --weights w.pt {dog}")
        assert (ran.returncode, ran.stderr.count("\n")) == (3, 1), ran.stderr
        assert "w.pt" in ran.stderr
    assert not (tmp_path / "owned").exists()


def test_files_with_random_names_are_kept_apart(sh: Run, tmp_path: Path) -> None:
    """The names contain characters that are special to shells and terminals."""
    chance = random.Random(1)
    (tmp_path / "in").mkdir()
    letters = [*string.printable.replace("/", ""), "é", "\udcff", "‮", "日"]
    names = {"".join(chance.choices(letters, k=chance.randint(1, 12))) + ".png" for _ in range(60)}
    names = {name for name in names if not name.startswith(".")}  # A search of a directory skips hidden files.
    data = encode(np.asarray(PIXELS), {"schema": SCHEMA_VERSION, "id": "x", "source": "x"})
    for name in names:
        (tmp_path / "in" / name).write_bytes(data)
    ran = sh(f"{CHEAP} in | dp-classify -k 1")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {record["id"] for record in found} == names
    assert not [record for record in found if "error" in record]
    assert len(list((tmp_path / "out").iterdir())) == len(names)
