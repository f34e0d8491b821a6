"""The options --attack, --set, --epsilon and --target."""

import pytest

from dptools.attacks import PAPER, Attack
from dptools.errors import UsageError
from dptools.tools.attack.settings import Setting, configured_attacks, weak_attacks


def configured(
    name: str, *settings: str, epsilon: str | None = None, norm: str | None = None, targeted: bool = False
) -> Attack:
    (attack,) = configured_attacks([name], settings, epsilon, norm, targeted=targeted)
    return attack


def test_a_setting_applies_to_the_attack_that_it_names() -> None:
    deepfool, cw = configured_attacks(["deepfool", "cw"], ["deepfool.steps=7", "cw.steps=9"], None, targeted=False)
    assert deepfool.settings["steps"] == 7
    assert cw.settings["steps"] == 9
    assert configured("deepfool", "overshoot=1/4").settings == {"steps": 50, "candidates": 10, "overshoot": 0.25}


def test_epsilon_can_be_a_fraction() -> None:
    assert configured("gs", epsilon="8/255").epsilon == 8 / 255


@pytest.mark.parametrize(
    "name", ["pgd", "LinfPGD", "L2PGD", "L2BasicIterativeAttack", "MIFGSM", "SparseL1DescentAttack"]
)
def test_the_step_size_follows_from_the_number_of_steps(name: str) -> None:
    attack = configured(name, "steps=10", epsilon="1/255")
    assert attack.settings["rel_stepsize"] == 0.25
    assert not list(weak_attacks([attack]))
    assert configured(name, "steps=10", "rel_stepsize=0.1", epsilon="1/255").settings["rel_stepsize"] == 0.1
    assert configured(name, "abs_stepsize=0.01", epsilon="1/255").settings["rel_stepsize"] is None


def test_steps_that_are_too_short_give_a_warning() -> None:
    (warning,) = weak_attacks([configured("pgd", "steps=10", "rel_stepsize=1/30")])
    assert warning.startswith("pgd: its 10 steps together have a length of 0.333 epsilon, and 2 are needed")
    assert not list(weak_attacks([configured("pgd", "steps=10", "rel_stepsize=1/30", "random_start=no", "steps=30")]))
    assert list(weak_attacks([configured("pgd", "abs_stepsize=1/2550", "steps=10", epsilon="8/255")]))
    assert list(weak_attacks([configured("pgd", "abs_stepsize=0")]))


@pytest.mark.parametrize(("name", "epsilon"), [("pgd", "0.9/255"), ("gs", "0.001"), ("deepfool", "0.003")])
def test_an_epsilon_below_one_8_bit_step_is_reported(name: str, epsilon: str) -> None:
    (warning,) = weak_attacks([configured(name, epsilon=epsilon)])
    assert "no image will be changed" in warning
    assert not list(weak_attacks([configured(name, epsilon="1/255")]))
    assert not list(weak_attacks([configured("gs"), configured("apgd-ce"), configured("square")]))


def test_another_norm_has_its_own_default_epsilon() -> None:
    assert (configured("apgd-t", norm="l2").norm, configured("apgd-t", norm="l2").epsilon) == ("l2", 0.5)
    assert configured("pgd", norm="l2", epsilon="2").epsilon == 2
    assert configured("pgd", norm="linf").epsilon == 4 / 255
    with pytest.raises(UsageError, match="--norm: deepfool: linf: it takes only l2"):
        configured("deepfool", norm="linf")
    with pytest.raises(UsageError, match="--norm: pgd: l1: it takes linf or l2"):
        configured("pgd", norm="l1")


def test_hopskipjump_measures_epsilon_in_the_norm_that_it_minimises() -> None:
    assert configured("HopSkipJumpAttack").norm == "l2"
    assert configured("HopSkipJumpAttack", "constraint=linf", epsilon="8/255").norm == "linf"


@pytest.mark.parametrize(
    "name",
    [
        "BinarySearchContrastReductionAttack",
        "GaussianBlurAttack",
        "InversionAttack",
        "LinearSearchBlendedUniformNoiseAttack",
        "LinearSearchContrastReductionAttack",
    ],
)
def test_the_parameter_distance_is_the_norm_of_epsilon(name: str) -> None:
    assert configured(name).norm == "l2"
    assert configured(name, "distance=linf", epsilon="0.5").norm == "linf"
    with pytest.raises(UsageError, match="at most 1 in linf"):
        configured(name, "distance=linf", epsilon="3")


def test_all_stands_for_the_attacks_of_the_paper() -> None:
    attacks = configured_attacks(["pgd", "all", "gs"], [], None, targeted=False)
    assert [attack.name for attack in attacks] == ["pgd", *PAPER]


@pytest.mark.parametrize(
    ("name", "settings", "epsilon", "targeted", "message"),
    [
        ("gs", ["stepz=3"], None, False, "--set: gs has no parameter 'stepz': it takes steps, ceiling"),
        ("gs", ["cw.steps=3"], None, False, "--set: cw is not one of the chosen attacks: gs"),
        ("deepfool", ["steps=no"], None, False, "--set: deepfool: steps=no: give a whole number from 1"),
        ("deepfool", ["steps=0"], None, False, "deepfool: steps=0: give a whole number from 1"),
        ("deepfool", ["overshoot=nan"], None, False, "deepfool: overshoot=nan: give a number from 0"),
        ("adef", ["max_deformation=x"], None, False, "max_deformation=x: give a number from 0 or none"),
        ("cw", ["abort_early=2"], None, False, "cw: abort_early=2: give true or false"),
        ("gs", [], "3", False, "--epsilon: gs needs an epsilon above 0 and at most 1 in linf, such as 8/255; got 3"),
        ("gs", [], "1/0", False, "--epsilon 1/0: give a number or a fraction such as 8/255"),
        (
            "gs",
            [],
            "nan",
            False,
            "--epsilon: gs needs an epsilon above 0 and at most 1 in linf, such as 8/255; got nan",
        ),
        ("cw", [], "-1", False, "--epsilon: cw needs an epsilon above 0 in l2; got -1"),
        ("adef", [], "3", False, "--epsilon: adef takes no epsilon: set steps, candidates"),
        ("deepfool", [], None, True, "--target: deepfool does not support a target class"),
        (
            "LinfPGD",
            [],
            None,
            False,
            "--epsilon: LinfPGD needs an epsilon above 0 and at most 1 in linf, such as 8/255",
        ),
        ("GenAttack", [], "8/255", False, "--target: GenAttack needs a target class"),
        ("LinfPGD", ["steps=-5"], "4/255", False, "LinfPGD: steps=-5: give a whole number from 1"),
        ("LinfDeepFoolAttack", ["candidates=1"], None, False, "candidates=1: give a whole number from 2 or none"),
        (
            "VirtualAdversarialAttack",
            [],
            "3",
            False,
            "--set: VirtualAdversarialAttack needs a value for steps: a whole",
        ),
        ("EADAttack", ["decision_rule=L3"], None, False, "decision_rule=L3: give EN or L1"),
        ("fgsm", [], None, False, "a class of foolbox.attacks, or all; dp-attack --list shows them"),
    ],
)
def test_errors_name_the_option_and_the_accepted_values(
    name: str, settings: list[str], epsilon: str | None, targeted: bool, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        configured(name, *settings, epsilon=epsilon, targeted=targeted)
    assert message in str(error.value)


def test_a_setting_has_a_name_and_a_value() -> None:
    with pytest.raises(UsageError, match=r"--set 'steps': give NAME=VALUE, or ATTACK.NAME=VALUE"):
        Setting.parse("steps")
