"""--labels: what a classifier's own names mean."""

from pathlib import Path

import pytest

from dptools.classifiers import read_dictionary
from dptools.classifiers.dictionary import Dictionary
from dptools.errors import UsageError


@pytest.fixture
def read(tmp_path: Path) -> object:
    def read(text: str | bytes) -> Dictionary:
        path = tmp_path / "names"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_dictionary(path)

    return read


def test_names_mean_one_class_or_several_or_none(read) -> None:  # type: ignore[no-untyped-def]
    found = read("dog\t243\nDog\tn02108089\n\n# cat\t281\nbig cat\ttabby\r\n")
    assert found.means("dog") == found.means(" DOG ") == (243, 242)
    assert found.means("big_cat") == (281,)
    assert found.means("cat") == ()


def test_what_is_not_in_it_means_the_class_of_its_name(read) -> None:  # type: ignore[no-untyped-def]
    assert read("").means("bull mastiff") == (243,)
    assert read("").means("cardigan") == (264, 474)


def test_the_rank_is_that_of_the_first_that_means_the_label(read) -> None:  # type: ignore[no-untyped-def]
    said = read("dog\tboxer\ndog\tbull mastiff\n").translate([("bull mastiff", 0.1), ("dog", 0.6), ("cat", 0.7)])
    assert [each["name"] for each in said.top(9)] == ["cat", "dog", "bull mastiff"]
    assert (said.rank(243), said.rank(242), said.rank(7)) == (2, 2, 1001)


def test_of_equals_the_label_comes_last(read) -> None:  # type: ignore[no-untyped-def]
    assert read("a\t1\nb\t2\n").translate([("a", 0.5), ("b", 0.5)]).rank(1) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog 243", ":1: 'dog 243' is not a name, a tab and a class"),
        ("a\t1\n\n\t243", ":3: .* is not a name, a tab and a class"),
        ("dog\t", ":1: unknown label"),
        ("dog\t1000", ":1: label 1000 is not between 0 and 999"),
        ("dog\tcardigan", ":1: label 'cardigan' means 2 classes"),
        ("dog\tmastif\x1b[31m", r":1: unknown label .*\\x1b"),
        (b"dog\xff\t1", "not a text file in UTF-8"),
    ],
)
def test_a_line_that_says_nothing_is_named(read, text: str | bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=f"names.*{message}") as caught:
        read(text)
    assert "\x1b" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            read_dictionary(path)
