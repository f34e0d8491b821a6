"""Whether a record is correct: by the rank of the label, or by the classes that another program predicted."""

from typing import Any

import pytest

from dptools.evaluation.hits import hits, same_class


def predicted(*classes: int | str, label: int | str | None = 243) -> dict[str, Any]:
    top = [{"index" if isinstance(each, int) else "name": each} for each in classes]
    return {"label": label, "classify": {"top": top}}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"classify": {"label_rank": 1}}, (True, True)),
        ({"classify": {"label_rank": 5}}, (False, True)),
        ({"classify": {"label_rank": 6}}, (False, False)),
        ({"label": 243, "classify": {"label_rank": None, "top": [{"index": 243}]}}, (None, None)),
        (predicted(243, 1, 2, 3, 4), (True, True)),
        (predicted(1, 2, 3, 4, 243), (False, True)),
        (predicted(1, 2, 3, 4, 5), (False, False)),
        (predicted(243, label=None), (None, None)),
        (predicted(), (None, None)),
        (predicted("my class"), (None, None)),
        (predicted("my class", 1, 2, 3, 243), (None, True)),
        ({}, (None, None)),
    ],
)
def test_the_label_is_looked_up_in_the_predicted_classes(record: dict[str, Any], expected: tuple[bool, bool]) -> None:
    assert hits(record) == expected


@pytest.mark.parametrize("classes", [(243,), (1,), (1, 243), (243, 1, 2, 3)])
def test_fewer_than_five_classes_say_nothing_about_the_first_five(classes: tuple[int, ...]) -> None:
    """To count only the records whose label is listed would give a top-5 accuracy of 100 %."""
    assert hits(predicted(*classes)) == (classes[0] == 243, None)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (243, "n02108422", True),
        ("bull_mastiff", 243, True),
        ("Bull  mastiff", "n02108422", True),
        (243, 244, False),
        ("crane", 134, False),
        ("bull mastiff", "my class", False),
        ("my class", "My_Class", True),
        ("my class", 3, None),
        ("3", 3, True),
        (3.0, 3, True),
        (3.0, 4, False),
        (243.0, "n02108422", True),
    ],
)
def test_classes_are_compared_by_index_wnid_or_name(first: float | str, second: float | str, same: bool | None) -> None:
    assert same_class(first, second) is same
    assert same_class(second, first) is same
