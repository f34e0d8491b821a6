"""Classes: lookup by index, WordNet id and name."""

import pytest

from dptools.classifiers import imagenet
from dptools.classifiers.classes import numbered


def test_imagenet_has_1000_classes_ordered_by_wnid() -> None:
    classes = imagenet()
    assert len(classes) == 1000
    assert list(classes.wnids) == sorted(set(classes.wnids))
    assert classes.describe(1) == {"index": 1, "wnid": "n01443537", "name": "goldfish"}
    assert classes.describe(999)["name"] == "toilet tissue"


@pytest.mark.parametrize("text", [243, "243", "n02108422", "bull mastiff", "Bull_Mastiff", "  bull  mastiff "])
def test_lookup_by_index_wnid_or_name(text: str | int) -> None:
    assert imagenet().index(text) == 243


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bulldogge", "unknown label 'bulldogge': neither index, wnid nor class name"),
        ("1000", "label 1000 is not between 0 and 999"),
        ("", "unknown label ''"),
        ("-1", "unknown label"),
        ("n99999999", "unknown label"),
        ("9" * 5000, "unknown label"),
    ],
)
def test_unknown_label_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="label") as caught:
        imagenet().index(text)
    assert message in str(caught.value)


def test_classes_that_contain_a_word_are_before_those_spelled_like_it() -> None:
    assert imagenet().similar("cat") == ["tiger cat", "persian cat", "siamese cat", "egyptian cat", "madagascar cat"]
    assert imagenet().similar("goldfinsh") == ["goldfish", "goldfinch"]
    assert imagenet().similar("") == []


def test_classes_with_other_counts_are_numbered() -> None:
    classes = numbered(3)
    assert classes.describe(2) == {"index": 2, "name": "class 2"}
    assert classes.index("2") == 2
    assert numbered(1000) is imagenet()


def test_cardigan_is_the_only_name_of_two_classes_and_its_case_does_not_decide() -> None:
    classes = imagenet()
    assert {name.casefold() for name in classes.names if len(classes.indices(name)) > 1} == {"cardigan"}
    with pytest.raises(ValueError, match="use one of n02113186, n02963159"):
        classes.index("Cardigan")
