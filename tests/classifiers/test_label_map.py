"""Label maps: parsing, translation of names, and ranks."""

from pathlib import Path

import pytest

from dptools.classifiers import LabelMap, read_label_map
from dptools.errors import UsageError


@pytest.fixture
def read(tmp_path: Path) -> object:
    def read(text: str | bytes) -> LabelMap:
        path = tmp_path / "names"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_label_map(path)

    return read


def test_name_maps_to_no_class_one_class_or_several(read) -> None:  # type: ignore[no-untyped-def]
    label_map = read("\ufeffdog\t243\nDog\tn02108089\n\n# cat\t281\nbig cat\ttabby\r\n")
    assert label_map.indices("dog") == label_map.indices(" DOG ") == (243, 242)
    assert label_map.indices("big_cat") == (281,)
    assert label_map.indices("cat") == ()


def test_unlisted_name_maps_to_the_class_so_named(read) -> None:  # type: ignore[no-untyped-def]
    assert read("").indices("bull mastiff") == (243,)
    assert read("").indices("cardigan") == (264, 474)


def test_rank_is_that_of_the_first_concept_for_the_label(read) -> None:  # type: ignore[no-untyped-def]
    prediction = read("dog\tboxer\ndog\tbull mastiff\n").translate([("bull mastiff", 0.1), ("dog", 0.6), ("cat", 0.7)])
    assert [top["name"] for top in prediction.top(9)] == ["cat", "dog", "bull mastiff"]
    assert (prediction.rank(243), prediction.rank(242), prediction.rank(7)) == (2, 2, 1001)


def test_ties_count_against_the_label(read) -> None:  # type: ignore[no-untyped-def]
    assert read("a\t1\nb\t2\n").translate([("a", 0.5), ("b", 0.5)]).rank(1) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog 243", ":1: 'dog 243' is not a name, a tab and a class"),
        ("a\t1\n\n\t243", ":3: .* is not a name, a tab and a class"),
        ("dog\t", ":1: unknown label"),
        ("dog\t1000", ":1: label 1000 is not between 0 and 999"),
        ("dog\tcardigan", ":1: label 'cardigan' is the name of 2 classes"),
        ("dog\tmastif\x1b[31m", r":1: unknown label .*\\x1b"),
        (b"dog\xff\t1", "not a text file in UTF-8"),
    ],
)
def test_malformed_line_is_reported_with_its_position(read, text: str | bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=f"names.*{message}") as caught:
        read(text)
    assert "\x1b" not in str(caught.value)


def test_unreadable_file_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            read_label_map(path)
