"""Parameters and settings of attacks: what is accepted, and the messages for the rest."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.attacks import ATTACKS, PAPER, SettingError, find
from dptools.attacks.params import Param
from dptools.errors import UsageError
from dptools.texts import parse_number


@given(st.integers(1, 10**6))
def test_whole_numbers_are_parsed(value: int) -> None:
    assert Param(50, minimum=1).parse(f" {value} ") == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_parsed_as_python_writes_them(value: float) -> None:
    assert Param(0.5).parse(repr(value)) == value


@given(st.text())
def test_any_text_is_parsed_or_raises_a_value_error(text: str) -> None:
    number_or_none = Param(None, (float, type(None)))
    for param in (Param(1), Param(0.5), Param(True), number_or_none, Param("EN", choices=("EN", "L1"))):
        try:
            assert param.accepts(param.parse(text))
        except ValueError:
            assert str(param)


def test_fractions_words_and_none_are_parsed() -> None:
    assert parse_number("8/255") == 8 / 255
    assert Param(True).parse("no") is False
    assert Param(None, (float, type(None))).parse("None") is None
    assert Param("EN", choices=("EN", "L1")).parse("l1") == "L1"


@pytest.mark.parametrize(
    ("param", "values", "others"),
    [
        (Param(50, minimum=1), [1, 10**20], [0, 1.5, True, None, "5", float("inf")]),
        (Param(0.5, minimum=0), [0, 0.25], [-1, float("nan"), float("inf"), True, None]),
        (Param(0.5), [-3], [float("-inf")]),
        (Param(True), [True, False], [1, 0.0, None]),
        (Param(None, (float, type(None)), minimum=0), [None, 0.5, 2], [-0.1, False]),
        (Param("EN", choices=("EN", "L1")), ["L1"], ["L3", 1, None]),
    ],
)
def test_values_are_accepted_by_type_and_range(param: Param, values: list[object], others: list[object]) -> None:
    assert all(map(param.accepts, values))
    assert not any(map(param.accepts, others))


def test_configure_returns_a_copy_with_the_settings() -> None:
    attack = find("deepfool").configure(overshoot=0.25, epsilon=3)
    assert attack.settings == {"steps": 50, "candidates": 10, "overshoot": 0.25}
    assert attack.configure(steps=7).settings == {"steps": 7, "candidates": 10, "overshoot": 0.25}
    assert attack.configure(steps=7).epsilon == 3
    assert find("deepfool").settings["overshoot"] == 0.02


@pytest.mark.parametrize(
    ("name", "settings", "setting", "message"),
    [
        ("gs", {"stepz": 3}, "params", "gs has no parameter 'stepz': it takes steps, ceiling"),
        ("L2AdditiveGaussianNoiseAttack", {"steps": 3}, "params", "it takes no parameters"),
        ("deepfool", {"steps": 0}, "params", "deepfool: steps=0: give a whole number from 1"),
        ("gs", {"epsilon": 3}, "epsilon", "gs needs an epsilon above 0 and at most 1 in linf, such as 8/255; got 3"),
        ("cw", {"epsilon": float("nan")}, "epsilon", "cw needs an epsilon above 0 in l2; got nan"),
        ("adef", {"epsilon": 3}, "epsilon", "adef takes no epsilon: set steps, candidates"),
    ],
)
def test_configure_rejects_other_settings(name: str, settings: dict[str, Any], setting: str, message: str) -> None:
    with pytest.raises(SettingError) as error:
        find(name).configure(**settings)
    assert message in str(error.value)
    assert error.value.setting == setting


@pytest.mark.parametrize(
    ("name", "targeted", "setting", "message"),
    [
        ("deepfool", True, "target", "deepfool does not support a target class"),
        ("LinfPGD", False, "epsilon", "LinfPGD needs an epsilon above 0 and at most 1 in linf, such as 8/255"),
    ],
)
def test_check_reports_what_is_missing(name: str, targeted: bool, setting: str, message: str) -> None:
    with pytest.raises(SettingError) as error:
        find(name).check(targeted=targeted)
    assert str(error.value) == message
    assert error.value.setting == setting


def test_epsilon_is_at_most_the_distance_of_a_black_and_a_white_image() -> None:
    attack = find("cw").configure(epsilon=400)
    with pytest.raises(SettingError, match=r"cw needs an epsilon above 0 and at most 387.979 in l2; got 400"):
        attack.check(targeted=False, values_per_image=3 * 224**2)
    attack.check(targeted=False, values_per_image=3 * 260**2)


def test_an_unknown_attack_is_rejected_with_the_choices() -> None:
    with pytest.raises(UsageError) as error:
        find("fgsm")
    assert all(name in str(error.value) for name in (*ATTACKS, "did you mean gs, FGSM", "a class of foolbox.attacks"))


def test_the_paper_has_eight_attacks() -> None:
    assert PAPER == ("gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn")


@pytest.mark.parametrize("name", [*ATTACKS, "LinfPGD"])
def test_attacks_can_be_sent_to_other_processes(name: str) -> None:
    attack = find(name)
    copy = pickle.loads(pickle.dumps(attack))
    assert (copy.name, copy.settings, copy.epsilon) == (attack.name, attack.settings, attack.epsilon)
