"""Output files: named after ids, complete or not at all, never outside the directory."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.errors import SampleError
from dptools.pipe.sample import Sample
from dptools.pipe.sink import target, write, write_extra

OUT = Path("out")


@pytest.mark.parametrize(
    ("sample_id", "path"),
    [
        ("n01/a.jpg", "out/n01/a.png"),
        ("n01/a.jpg@gs", "out/n01/a@gs.png"),
        ("a.JPEG@gs@pgd", "out/a@gs@pgd.png"),
        ("a@2x.jpg@gs", "out/a@2x@gs.png"),
        ("a@2x.png", "out/a@2x.png"),
        ("noext", "out/noext.png"),
        ("v1.2", "out/v1.2.png"),
        ("/etc/passwd", "out/etc/passwd.png"),
        ("../../etc/a.png", "out/etc/a.png"),
        ("./x//y.png", "out/x/y.png"),
        (".png", "out/.png.png"),
    ],
)
def test_target_is_derived_from_the_id(sample_id: str, path: str) -> None:
    assert target(OUT, sample_id) == Path(path)


@given(st.text(st.characters(), min_size=1) | st.from_regex(re.compile(r"[./@a\0-]{1,20}"), fullmatch=True))
def test_target_stays_in_the_directory(sample_id: str) -> None:
    try:
        path = target(OUT, sample_id)
    except SampleError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(OUT)
    assert path.suffix == ".png"
    assert "\0" not in str(path)


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(SampleError, match="surrogate"):
        target(OUT, "a/\ud800.png")
    assert target(OUT, "\udcff.png") == OUT / "\udcff.png"  # a byte of a file name that is not UTF-8


def test_name_too_long_for_a_file_is_refused() -> None:
    with pytest.raises(SampleError, match="more than 255 bytes"):
        target(OUT, "n01/" + "ü" * 130)


def test_file_is_replaced_and_no_temporary_file_remains(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.png"
    write(path, b"one", tmp_path)
    write(path, b"two", tmp_path)
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.png"]
    os.umask(mask := os.umask(0))
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.png"
    write(path, b"old", tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SampleError, match="No space left"):
        write(path, b"new", tmp_path)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "n01").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SampleError, match="leads out of"):
        write(tmp_path / "out" / "n01" / "a.png", b"x", tmp_path / "out")
    with pytest.raises(SampleError, match="leads out of"):
        write(tmp_path / "out" / "n01" / "new" / "a.png", b"x", tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_file_with_the_name_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(SampleError):
        write(tmp_path / "a" / "b.png", b"x", tmp_path)


def test_extra_file_does_not_overwrite_what_the_sample_was_made_from(tmp_path: Path) -> None:
    for name in ("image.png", "source.png", "other.png"):
        (tmp_path / name).write_text("old")
    paths = {"path": str(tmp_path / "image.png"), "source": str(tmp_path / "source.png")}
    sample = Sample({"schema": 2, "id": "a", **paths})
    for path in paths.values():
        with pytest.raises(SampleError, match="would overwrite the input"):
            write_extra(Path(path), b"new", tmp_path, sample)
    write_extra(tmp_path / "other.png", b"new", tmp_path, sample)
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["old", "new", "old"]
