"""The names of output formats, and the format that `same` gives."""

import pytest

from dptools.errors import UsageError
from dptools.pipe.file_formats import FileFormat, FileInfo, parse_format


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("png", FileFormat("png")),
        ("jpeg", FileFormat("jpeg", 90)),
        ("JPG:75", FileFormat("jpeg", 75)),
        ("webp", FileFormat("webp")),
        ("webp:100", FileFormat("webp", 100)),
        ("same", FileFormat("same")),
    ],
)
def test_names(text: str, parsed: FileFormat) -> None:
    assert parse_format(text) == parsed
    assert parse_format(str(parsed)) == parsed


@pytest.mark.parametrize("text", ["tiff", "", "png:9", "same:90", "jpeg:", "jpeg:0", "jpeg:101", "jpeg:9.5", "webp:²"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="format"):
        parse_format(text)


def test_only_png_and_webp_without_quality_keep_every_pixel() -> None:
    names = ("png", "jpeg", "webp", "webp:100", "same")
    assert [name for name in names if parse_format(name).lossless] == ["png", "webp"]


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (FileInfo("JPEG"), "jpeg"),
        (FileInfo("MPO"), "jpeg"),
        (FileInfo("WEBP", lossless=True), "webp"),
        (FileInfo("WEBP"), "webp:92"),
        (FileInfo("HEIF"), "jpeg:92"),
        (FileInfo("AVIF"), "jpeg:92"),
        (FileInfo("GIF"), "png"),
        (FileInfo("TIFF"), "png"),
        (None, "png"),
    ],
)
def test_same_is_the_format_of_the_input_and_lossless_where_the_input_was(info: FileInfo | None, name: str) -> None:
    assert str(FileFormat("same").resolve(info)) == name
