"""Robust accuracy, its curves, the checklist of an adaptive evaluation, and its warnings."""

from collections.abc import Iterable
from copy import deepcopy
from inspect import signature
from itertools import chain
from shlex import split
from typing import Any

import pytest
from typer.main import get_command

from dptools.certify.smoothing import parse_defence
from dptools.evaluation.adaptive import evaluations, warnings
from dptools.evaluation.checklist import checklist, checklists_as_json
from dptools.evaluation.figures import robustness as draw
from dptools.evaluation.robustness import Robustness
from dptools.evaluation.run_key import names, number
from dptools.evaluation.table import checklist_rows, robustness_rows
from dptools.tools.attack.command import app, attack
from dptools.tools.attack.options import AttackOptions


def record(
    image: str,
    correct: float | None,
    *,
    name: str = "pgd",
    epsilon: float | None = 4 / 255,
    steps: int = 10,
    through: str | None = "denoiser",
    gradient: str = "exact",
    **more: Any,
) -> dict[str, Any]:
    """Return a record of dp-attack; ``correct`` is the fraction of correct draws, None for a skipped image."""
    attack: dict[str, Any] = {
        "name": name,
        "params": {"steps": steps},
        "epsilon": epsilon,
        "norm": "linf",
        "gradient": gradient,
        "model": "efficientnet-lite0",
        "clean_label": 1 if correct is not None else 2,
        **({"through": through, "eot": 4, "judges": 10} if through else {}),
        **more,
    }
    if correct is not None:
        votes = {"draws": 10, "correct": correct, "majority_correct": correct > 0.5, "all_correct": correct == 1}
        attack |= {"success": correct <= 0.5, "adversarial_label": 1 if correct > 0.5 else 3}
        attack |= {"judge": votes} if through else {}
    return {"id": f"{image}@{name}", "source": image, "label": 1, "attack": attack}


def read(records: Iterable[dict[str, Any]]) -> Robustness:
    robustness = Robustness()
    for each in records:
        robustness.add(each)
    return robustness


def images(*correct: float | None, **more: Any) -> list[dict[str, Any]]:
    return [record(f"image{index}", share, **more) for index, share in enumerate(correct)]


def test_robust_accuracy_counts_clean_errors_and_has_three_forms() -> None:
    (run,) = read(images(1.0, 0.75, 0.25, 0.0, None)).runs.values()
    assert (run.clean.k, run.clean.n) == (4, 5)
    assert (run.majority.k, run.worst.k, run.majority.n) == (2, 1, 5)
    assert run.mean == pytest.approx(2.0 / 5)
    assert str(run.key) == "pgd linf 4/255 x10 exact eot 4"


def test_an_image_resists_all_attacks_together_only_if_it_resists_each() -> None:
    robustness = read(
        [
            *images(1.0, 1.0, 0.0),
            *images(0.0, 1.0, 1.0, name="square", gradient="none"),
            *images(0.0, 0.0, 0.0, epsilon=8 / 255),
            *images(0.0, 0.0, 0.0, transfer_from="efficientnet-lite1"),
        ]
    )
    together = robustness.together(robustness.threats[0])
    assert (together.k, together.n) == (1, 3)
    assert len(robustness.threats) == 2


def test_the_checklist_says_that_the_gradient_of_an_integer_network_is_that_in_floating_point() -> None:
    found = {}
    for method in ("fast", "denoiser"):
        (evaluation,) = evaluations(read(images(1.0, through=method)))
        (found[method],) = [item.detail for item in checklist(evaluation) if item.title.startswith("gradient")]
    assert found == {"fast": "exact, of the network in float32", "denoiser": "exact"}


def test_attacks_without_a_limit_and_failed_records_are_left_out() -> None:
    unlimited = record("a", 0.0, through=None)
    del unlimited["attack"]["epsilon"]
    assert not read([unlimited, {"id": "x", "error": {"message": "m"}}, {"id": "y"}])


def test_records_that_other_programs_wrote_do_not_stop_the_evaluation() -> None:
    odd = [
        record("a", 0.0, judge={"correct": None}),
        record("b", 0.0, params={"steps": [1], "version": {}}),
        record("c", 0.0, params=None, judges=None),
        {**record("d", 0.0), "label": "cat"},
        {**record("e", 0.0), "label": None},
        record("f", 0.0, judges=1, fixed_draws=True, epsilon=1e308),
    ]
    robustness = read(odd)
    assert sum(len(run.outcomes) for run in robustness.runs.values()) == 4
    for evaluation in evaluations(robustness):
        assert len(checklist(evaluation)) == 13
        list(warnings(evaluation))
    assert robustness.as_json()


def test_images_of_two_directories_with_the_same_name_count_twice() -> None:
    """Records in image files and shards hold no directories, but the hash of the first input."""
    contents = ("00", "11", "11")
    records = [{**record("a", 0.0), "stages": [{"tool": "dp-attack", "input_sha256": c}]} for c in contents]
    assert [len(run.outcomes) for run in read(records).runs.values()] == [2]


def test_the_cost_of_an_attack_is_counted_once_for_each_image() -> None:
    """Records of the same attack occur once for each method that purified the image."""
    attacked = record("a", 0.0, restorations=100)
    attacked["stages"] = [{"tool": "dp-attack", "seconds": 2.0}]
    (run,) = read([{**attacked, "denoise": {"method": method}} for method in ("jpeg:50", "denoiser")]).as_json()
    assert (run["restorations"], run["seconds"]) == (100, 2.0)


def test_an_image_of_the_target_class_was_not_attacked_and_is_left_out() -> None:
    skipped = record("a", 0.0, target=1)
    del skipped["attack"]["success"]
    assert not read([skipped])


def test_runs_that_differ_in_a_parameter_are_not_merged() -> None:
    runs = read([*images(1.0, target=5), *images(0.0), *images(1.0, params={"steps": 10, "restarts": 5})]).runs
    assert [len(run.outcomes) for run in runs.values()] == [1, 1, 1]


def test_curves_join_runs_that_differ_in_one_setting_only() -> None:
    robustness = read(
        [
            *images(1.0, 1.0, epsilon=1 / 255),
            *images(1.0, 0.0),
            *images(0.0, 0.0, epsilon=8 / 255),
            *images(0.0, steps=40),
        ]
    )
    (epsilons,) = robustness.curves("epsilon").values()
    assert [run.majority.k for run in epsilons] == [2, 1, 0]
    (steps,) = robustness.curves("steps").values()
    assert [run.key.steps for run in steps] == [10, 40]
    (axes,) = draw(robustness.curves("epsilon"), "epsilon").axes
    assert list(axes.lines[0].get_xdata()) == pytest.approx([0, 1, 4, 8])
    assert list(axes.lines[0].get_ydata()) == [100, 100, 50, 0]  # the first point is the clean accuracy


def test_results_of_two_classifiers_can_be_told_apart() -> None:
    robustness = read(
        [
            *[record for epsilon in (4, 8) for record in images(1.0, epsilon=epsilon / 255)],
            *[record for epsilon in (4, 8) for record in images(0.0, epsilon=epsilon / 255, model="other")],
            *images(0.0, name="square", gradient="none", model="other"),
        ]
    )
    curves = robustness.curves("epsilon")
    assert {name: [run.majority.k for run in runs] for name, runs in curves.items()} == {
        "pgd x10 exact eot 4 on efficientnet-lite0, behind denoiser": [1, 1],
        "pgd x10 exact eot 4 on other, behind denoiser": [0, 0],
    }
    first = [row[0] for row in robustness_rows(robustness)]
    assert first[1] == "pgd linf 4/255 x10 exact eot 4 on efficientnet-lite0"
    assert first[-1] == "all linf 4/255 on other"
    assert len(set(first)) == len(first)
    titles = [checklist_rows(evaluation)[0][1] for evaluation in evaluations(robustness)]
    assert titles == ["checklist for denoiser before efficientnet-lite0", "checklist for denoiser before other"]
    assert [each["model"] for each in checklists_as_json(robustness)] == ["efficientnet-lite0", "other"]


def test_runs_with_otherwise_equal_names_show_the_settings_that_differ() -> None:
    robustness = read(
        [
            *images(1.0),
            *images(1.0, judges=20),
            *images(1.0, params={"steps": 10, "random_start": False}),
            *images(1.0, steps=20),
            *images(1.0, through="fast"),
        ]
    )
    assert list(names(robustness.runs).values()) == [
        "pgd linf 4/255 x10 exact eot 4 judges=10",
        "pgd linf 4/255 x10 exact eot 4 judges=20",
        "pgd linf 4/255 x10 exact eot 4 judges=10 random_start=false",
        "pgd linf 4/255 x20 exact eot 4",
        "pgd linf 4/255 x10 exact eot 4",
    ]


def test_tables_and_commands_are_printable_whatever_the_names_in_the_records() -> None:
    texts = dict.fromkeys(("name", "norm", "through", "model", "transfer_from"), "\x1b[31m")
    robustness = read(images(1.0, **texts))
    tables = [robustness_rows(robustness), *map(checklist_rows, evaluations(robustness))]
    cells = [cell for rows in tables for row in rows for cell in row]
    assert all(map(str.isprintable, cells))
    assert any(r"\x1b[31m" in cell for cell in cells)


def options_of(command: str) -> AttackOptions:
    """Return the options that dp-attack reads from a command, without running it."""
    context = get_command(app).make_context("dp-attack", split(command)[1:])
    own = {name: value for name, value in context.params.items() if name in signature(attack).parameters}
    return attack(**own)


def suggestions(records: Iterable[dict[str, Any]]) -> list[str]:
    (evaluation,) = evaluations(read(records))
    return [item.detail for item in checklist(evaluation) if item.detail.startswith("dp-attack")]


SQUARE = {"name": "square", "gradient": "none"}


@pytest.mark.parametrize("method", ["fast", "denoiser", "jpeg:75", "dip", "zero-shot", "smooth:0.25"])
@pytest.mark.parametrize(
    "records",
    [
        images(1.0),
        images(1.0, **SQUARE),
        images(1.0, **SQUARE, epsilon=0.6),
        images(1.0, **SQUARE, norm="l2", epsilon=3.0),
        images(1.0, norm="l1", name="L1PGD", epsilon=20.0),
        images(1.0, norm="l2", name="deepfool", epsilon=None),
        images(1.0, model="efficientnet-lite1"),
        [*images(1.0), *images(0.0, steps=20, norm="l2", name="HopSkipJumpAttack", gradient="none")],
        [record for n in (5, 10) for record in images(10.0 / n - 1, **SQUARE, params={"queries": n})],
        [*images(1.0), *(record for n in (5, 10) for record in images(10.0 / n - 1, steps=n, norm="l2", name="L2PGD"))],
        [
            *images(1.0, norm="l2"),
            *(record for n in (5, 10) for record in images(10.0 / n - 1, steps=n, name="HopSkipJumpAttack")),
        ],
    ],
)
def test_every_suggested_command_is_accepted(records: list[dict[str, Any]], method: str) -> None:
    through = [deepcopy(record) for record in records]
    for each in through:
        each["attack"]["through"] = method
        if not parse_defence(method).random:
            del each["attack"]["judges"]
    commands = suggestions(through)
    assert commands
    for command in commands:
        assert options_of(command).defence.through == method


def test_suggestions_depend_on_the_method_the_classifier_and_the_attack() -> None:
    jpeg = {"through": "jpeg:75", "model": "resnet18", "gradient": "none"}
    found = suggestions(images(1.0, name="square", **jpeg, epsilon=0.6))
    assert found[0] == "dp-attack -a pgd --norm linf --epsilon 0.6 --model resnet18 --through jpeg:75"
    assert "dp-attack -a pgd --norm linf --epsilon 1 --model resnet18 --through jpeg:75" in found
    hop = "dp-attack -a HopSkipJumpAttack --set constraint=linf --epsilon 0.6 --model resnet18 --through jpeg:75"
    assert hop in found


@pytest.mark.parametrize(("epsilon", "text"), [(4 / 255, "4/255"), (0.5 / 255, "0.5/255"), (0.5, "0.5"), (3.0, "3")])
def test_epsilon_is_shown_as_a_user_writes_it(epsilon: float, text: str) -> None:
    assert number(epsilon) == text


def states(robustness: Robustness) -> dict[int, str]:
    (evaluation,) = evaluations(robustness)
    return {item.number: item.state for item in checklist(evaluation)}


def test_a_single_attack_leaves_most_items_open_and_names_the_commands() -> None:
    robustness = read(images(1.0, 0.0))
    assert [place for place, state in states(robustness).items() if state == "met"] == [1, 2, 6, 11, 13]
    assert states(robustness)[12] == "not applicable"
    (evaluation,) = evaluations(robustness)
    details = {item.number: item.detail for item in checklist(evaluation)}
    assert details[5] == "dp-attack -a pgd --fixed-draws --norm linf --epsilon 4/255 --through denoiser"
    assert details[8] == "dp-attack -a pgd --norm linf --epsilon 8/255 --through denoiser"
    assert list(warnings(evaluation)) == [
        "no attack breaks every image: increase --epsilon until one does, to show that the attacks work"
    ]


def test_a_complete_evaluation_meets_every_item() -> None:
    robustness = read(
        [
            *images(0.0, 0.0),
            *images(0.0, 0.0, steps=20),
            *images(0.0, 0.0, name="autoattack", eot=20, params={"version": "rand", "steps": 100}),
            *images(0.0, 0.0, name="autoattack", params={"version": "standard", "steps": 100}),
            *images(0.0, 0.0, judges=1, fixed_draws=True),
            *images(1.0, 0.0, name="square", gradient="none"),
            *images(1.0, 1.0, name="HopSkipJumpAttack", gradient="none"),
            *images(1.0, 1.0, transfer_from="efficientnet-lite1"),
        ]
    )
    assert set(states(robustness).values()) == {"met", "not applicable"}
    assert not list(warnings(evaluations(robustness)[0]))


def test_a_masked_gradient_is_detected() -> None:
    """A purifier that rounds has a gradient of 0: an attack without gradients breaks more images."""
    masked = read([*images(1.0, 1.0, 0.0), *images(0.0, 0.0, 0.0, name="square", gradient="none")])
    (text,) = warnings(evaluations(masked)[0])
    assert text == (
        "square linf 4/255 x10 eot 4 breaks more images than pgd linf 4/255 x10 exact eot 4: "
        "the gradient is masked, or its attack is too weak"
    )


def test_an_exact_attack_on_the_plain_classifier_is_not_flagged() -> None:
    plain = read(
        [*images(0.0, 0.0, 1.0, through=None), *images(0.0, 1.0, 1.0, through=None, name="square", gradient="none")]
    )
    assert [list(warnings(evaluation)) for evaluation in evaluations(plain)] == [[]]


def test_more_steps_that_help_are_detected() -> None:
    robustness = read([*images(1.0, 1.0, 0.0), *images(0.0, 0.0, 0.0, steps=20)])
    assert states(robustness)[7] == "not met"
    (text,) = warnings(evaluations(robustness)[0])
    assert "x20 exact eot 4 breaks more images than pgd linf 4/255 x10" in text


def test_twice_the_steps_are_compared_with_the_most_steps_below_in_any_order_of_records() -> None:
    """What 10 steps miss does not count once 20 and 40 steps break as many images."""
    runs = [images(1.0, 1.0, 0.0), images(0.0, 1.0, 0.0, steps=20), images(0.0, 1.0, 0.0, steps=40)]
    for ordered in (runs, runs[::-1]):
        (evaluation,) = evaluations(read(chain(*ordered)))
        assert checklist(evaluation)[6].detail == "20 and 40 steps: 1 and 1 images resist"
        assert not [text for text in warnings(evaluation) if "breaks more" in text]


def test_each_attack_is_checked_for_more_steps() -> None:
    square = [record for steps in (100, 200) for record in images(1.0, 1.0, steps=steps, name="square")]
    robustness = read([*images(1.0, 1.0), *images(0.0, 0.0, steps=20), *square])
    (evaluation,) = evaluations(robustness)
    assert checklist(evaluation)[6].detail.startswith("dp-attack -a pgd --set steps=40")
    assert [text[:21] for text in warnings(evaluation)] == ["pgd linf 4/255 x20 ex"]


def test_an_approximate_gradient_of_a_differentiable_method_is_not_enough() -> None:
    assert states(read(images(0.0, gradient="bpda")))[2] == "not met"
    (text,) = warnings(evaluations(read(images(0.0, gradient="bpda")))[0])
    assert text.endswith("denoiser has an exact gradient, so this result is too optimistic")
    assert states(read(images(0.0, through="jpeg:50", gradient="bpda", judges=1)))[2] == "met"
    dip = read(images(0.0, through="dip", gradient="surrogate"))
    assert (states(dip)[2], states(dip)[12]) == ("met", "not met")


def test_the_checklist_does_not_ask_for_fixed_draws_of_a_smoothed_classifier() -> None:
    assert states(read(images(0.0)))[5] == "not met"
    assert states(read(images(0.0, through="smooth:0.25")))[5] == "not applicable"
