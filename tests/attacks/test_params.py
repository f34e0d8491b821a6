"""What a user may write for an attack's parameters, and what is said of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dptools.attacks import ATTACKS, PAPER, Setting, configure, find
from dptools.attacks.params import Param, number
from dptools.attacks.settings import check_budget
from dptools.errors import UsageError


def configured(name: str, *settings: str, epsilon: str | None = None, aimed: bool = False) -> object:
    return configure(find(name), [Setting.parse(text) for text in settings], epsilon, aimed=aimed)


@given(st.integers(1, 10**6))
def test_whole_numbers_are_read(value: int) -> None:
    assert Param(50, least=1).parse(f" {value} ") == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_python_writes_them(value: float) -> None:
    assert Param(0.5).parse(repr(value)) == value


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    number_or_none = Param(None, (float, type(None)))
    for param in (Param(1), Param(0.5), Param(True), number_or_none, Param("EN", choices=("EN", "L1"))):
        try:
            param.parse(text)
        except ValueError:
            assert str(param)


def test_fractions_words_and_none_are_read() -> None:
    assert number("8/255") == 8 / 255
    assert Param(True).parse("no") is False
    assert Param(None, (float, type(None))).parse("None") is None
    assert Param("EN", choices=("EN", "L1")).parse("l1") == "L1"


def test_settings_reach_the_attack_that_they_name() -> None:
    settings = ("deepfool.steps=7", "cw.steps=9")
    assert configured("deepfool", *settings).settings["steps"] == 7  # type: ignore[attr-defined]
    assert configured("cw", *settings).settings["steps"] == 9  # type: ignore[attr-defined]
    assert configured("deepfool", "overshoot=1/4").settings == {"steps": 50, "candidates": 10, "overshoot": 0.25}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "settings", "epsilon", "aimed", "message"),
    [
        ("gs", ["stepz=3"], None, False, "gs has no parameter 'stepz': it takes steps, ceiling"),
        ("deepfool", ["steps=no"], None, False, "deepfool: steps=no: give a whole number from 1"),
        ("deepfool", ["steps=0"], None, False, "deepfool: steps=0: give a whole number from 1"),
        ("deepfool", ["overshoot=nan"], None, False, "deepfool: overshoot=nan: give a number from 0"),
        ("adef", ["max_deformation=x"], None, False, "max_deformation=x: give a number from 0 or none"),
        ("cw", ["abort_early=2"], None, False, "cw: abort_early=2: give true or false"),
        ("gs", [], "3", False, "gs: --epsilon 3: give a number above 0 and at most 1, such as 8/255, in linf"),
        ("gs", [], "1/0", False, "gs: --epsilon 1/0: give a number above 0"),
        ("gs", [], "nan", False, "gs: --epsilon nan: give a number above 0"),
        ("cw", [], "-1", False, "cw: --epsilon -1: give a number above 0, in l2"),
        ("adef", [], "3", False, "adef takes no --epsilon: set steps, candidates"),
        ("deepfool", [], None, True, "deepfool cannot aim at a class: leave --target out"),
        ("LinfPGD", [], None, False, "LinfPGD needs --epsilon: the largest perturbation in linf"),
        ("GenAttack", [], "8/255", False, "GenAttack needs a class to aim at: give --target"),
        ("LinfPGD", ["steps=-5"], "4/255", False, "LinfPGD: steps=-5: give a whole number from 1"),
        ("LinfDeepFoolAttack", ["candidates=1"], None, False, "candidates=1: give a whole number from 2 or none"),
        ("VirtualAdversarialAttack", [], "3", False, "needs --set steps=VALUE: a whole number"),
        ("EADAttack", ["decision_rule=L3"], None, False, "decision_rule=L3: give EN or L1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    name: str, settings: list[str], epsilon: str | None, aimed: bool, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        configured(name, *settings, epsilon=epsilon, aimed=aimed)
    assert message in str(error.value)


def test_a_setting_has_a_name_and_a_value() -> None:
    with pytest.raises(UsageError, match=r"--set 'steps': give NAME=VALUE, or ATTACK.NAME=VALUE"):
        Setting.parse("steps")


def test_a_budget_is_no_larger_than_images_are_apart() -> None:
    attack = configured("cw", epsilon="400")
    with pytest.raises(UsageError, match=r"cw: --epsilon 400: give a number above 0 and at most 387.979"):
        check_budget(attack, 3 * 224**2)  # type: ignore[arg-type]
    check_budget(attack, 3 * 260**2)  # type: ignore[arg-type]


def test_an_unknown_attack_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError) as error:
        find("fgsm")
    assert all(name in str(error.value) for name in (*ATTACKS, "all", "did you mean gs, FGSM", "dp-attack --list"))


def test_the_paper_has_eight() -> None:
    assert PAPER == ("gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn")
