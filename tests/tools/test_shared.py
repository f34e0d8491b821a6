"""Labels: order of the sources, and errors."""

import pytest
from toys import sample

from dptools.classifiers import imagenet
from dptools.errors import SampleError, UsageError
from dptools.tools.shared import LabelFrom, Labels


def find(labels: Labels, **record: object) -> int | None:
    return labels.find(sample("x.jpg", **record), imagenet())


def test_given_label_precedes_record_and_record_precedes_directory() -> None:
    record: dict[str, object] = {"source": "imgs/n01443537/x.jpg", "label": "toilet_tissue"}
    assert find(Labels("243"), **record) == 243
    assert find(Labels(), **record) == 999
    assert find(Labels(), source="imgs/n01443537/x.jpg") == 1
    assert find(Labels(), source="imgs/goldfish/x.jpg") == 1
    assert find(Labels(), source="imgs/7/x.jpg") == 7


def test_source_can_be_chosen() -> None:
    record: dict[str, object] = {"source": "imgs/n01443537/x.jpg", "label": 5}
    assert find(Labels(source=LabelFrom.DIRECTORY), **record) == 1
    assert find(Labels(source=LabelFrom.RECORD), source="imgs/n01443537/x.jpg") is None
    assert find(Labels(source=LabelFrom.PREDICTION), **record) is None


def test_unknown_directory_is_an_error_only_if_directories_are_the_source() -> None:
    assert find(Labels(), source="holiday/x.jpg") is None
    with pytest.raises(SampleError, match="unknown label 'holiday'"):
        find(Labels(source=LabelFrom.DIRECTORY), source="holiday/x.jpg")


def test_unknown_label_in_the_record_is_an_error() -> None:
    with pytest.raises(SampleError, match="unknown label 'n0'"):
        find(Labels(), label="n0")


def test_unknown_given_label_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown label 'crow bar'"):
        Labels("crow bar").check(imagenet())
