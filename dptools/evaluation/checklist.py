"""A checklist for evaluations against an attacker who knows the defence, decided from the records.

The items follow Carlini et al. (arXiv 1902.06705), Tramer et al. (arXiv 2002.08347), Croce and Hein (arXiv 2003.01690)
and, for purification, DiffBreak (arXiv 2411.16598).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dptools.attacks.registry import ATTACKS, EPSILONS
from dptools.certify.smoothing import Smoothing
from dptools.classifiers.names import is_service
from dptools.evaluation.adaptive import (
    HOP_SKIP_JUMP,
    Evaluation,
    evaluations,
    helped,
    most_steps,
    reaches_zero,
    step_pairs,
    warnings,
)
from dptools.evaluation.keys import NONE
from dptools.evaluation.robustness import Robustness
from dptools.evaluation.run_key import GRADIENT_FREE, RunKey, number

MET, NOT_MET, NOT_APPLICABLE = "met", "not met", "not applicable"

HARD_LABEL = (HOP_SKIP_JUMP, "BoundaryAttack")
"""Attacks that see the predicted class only."""

MIN_EOT = 20
"""Draws per gradient that AutoAttack's ``rand`` version uses."""

MIN_JUDGES = 8

TRANSFER = ("efficientnet-lite1", "efficientnet-lite0")
"""Classifiers from which an attack can be transferred; the first that is not attacked is suggested."""


@dataclass(frozen=True)
class Item:
    """One line of the checklist.

    Attributes:
        number: Number of the item, from 1.
        title: What is asked.
        state: MET, NOT_MET or NOT_APPLICABLE.
        detail: What the records show or, if the item is not met, the command that would meet it.
    """

    number: int
    title: str
    state: str
    detail: str


def checklist(evaluation: Evaluation) -> list[Item]:
    """Return the checklist of an evaluation."""
    return [Item(place, title, *check(evaluation)) for place, (title, check) in enumerate(_CHECKS.items(), 1)]


def checklists_as_json(robustness: Robustness) -> list[dict[str, Any]]:
    """Return all checklists and warnings as a JSON list, documented in dp-eval(1)."""
    return [
        {
            "model": evaluation.model,
            "through": evaluation.through,
            "items": [vars(item) for item in checklist(evaluation)],
            "warnings": list(warnings(evaluation)),
        }
        for evaluation in evaluations(robustness)
        if evaluation.through != NONE
    ]


Check = Callable[[Evaluation], tuple[str, str]]


def _threat(evaluation: Evaluation) -> tuple[str, str]:
    bounds = {f"{run.key.norm} {number(run.key.epsilon)}" for run in evaluation.runs if run.key.epsilon is not None}
    if not bounds:
        return NOT_MET, evaluation.command("pgd", "--epsilon 4/255")
    clean = evaluation.runs[0].clean
    return MET, f"{', '.join(sorted(bounds))}; clean accuracy {clean.k} of {clean.n}"


def _gradient(evaluation: Evaluation) -> tuple[str, str]:
    kinds = {run.key.gradient for run in evaluation.full} - {GRADIENT_FREE}
    is_differentiable = evaluation.method is not None and evaluation.method.differentiable
    if "exact" in kinds:
        quantised = evaluation.method and evaluation.method.quantised
        return MET, "exact, of the network in float32" if quantised else "exact"
    if kinds and not is_differentiable:
        return MET, f"{', '.join(sorted(kinds))}: the method has no exact gradient"
    return NOT_MET, evaluation.command("pgd", "--gradient exact" if is_differentiable else "")


def _eot(evaluation: Evaluation) -> tuple[str, str]:
    if not evaluation.is_random:
        return NOT_APPLICABLE, "the defence draws no random numbers"
    versions = {run.key.version for run in evaluation.full if run.key.eot >= MIN_EOT}
    return _state("rand" in versions, "autoattack rand", evaluation.command("autoattack", "--eot 20"))


def _standard(evaluation: Evaluation) -> tuple[str, str]:
    has = any(run.key.version == "standard" for run in evaluation.full)
    command = evaluation.command("autoattack", "--set version=standard")
    return _state(has, "autoattack standard; the table shows the minimum over attacks", command)


def _fixed(evaluation: Evaluation) -> tuple[str, str]:
    if not evaluation.is_random:
        return NOT_APPLICABLE, "the defence draws no random numbers"
    if isinstance(evaluation.method, Smoothing):
        return NOT_APPLICABLE, "the defence is the vote of many draws"
    has = any(run.key.fixed_draws for run in evaluation.runs)
    return _state(has, "attacked with known random numbers", evaluation.command("pgd", "--fixed-draws"))


def _judges(evaluation: Evaluation) -> tuple[str, str]:
    if not evaluation.is_random:
        return NOT_APPLICABLE, "the defence draws no random numbers"
    least = min((run.key.judges for run in evaluation.runs if not run.key.fixed_draws), default=1)
    return _state(least >= MIN_JUDGES, f"{least} purifications each", evaluation.command("pgd", "--judge 10"))


def _steps(evaluation: Evaluation) -> tuple[str, str]:
    pairs = list(step_pairs(evaluation.full))
    if not pairs:
        return NOT_MET, evaluation.command("pgd", f"--set steps={2 * most_steps(evaluation.full)}")
    if weak := helped(evaluation.full):
        return NOT_MET, _twice(evaluation, weak[0][1].key)
    few, many = max(pairs, key=lambda pair: pair[1].key.steps or 0)
    return MET, f"{few.key.steps} and {many.key.steps} steps: {few.majority.k} and {many.majority.k} images resist"


def _twice(evaluation: Evaluation, key: RunKey) -> str:
    """Return a command for twice as many steps, or for twice as many queries of an attack without steps."""
    attack = ATTACKS.get(key.attack)
    name = "queries" if attack and "steps" not in attack.params else "steps"
    bound = (key.norm, key.epsilon) if key.norm and key.epsilon else None
    return evaluation.command_within(bound, key.attack, f"--set {name}={2 * (key.steps or 0)}")


def _curve(evaluation: Evaluation) -> tuple[str, str]:
    if reaches_zero(evaluation):
        return MET, "an attack breaks every image"
    norm, epsilon = evaluation.bound or ("linf", EPSILONS["linf"])
    largest = max((run.key.epsilon or 0 for run in evaluation.full if run.key.norm == norm), default=0) or epsilon
    return NOT_MET, evaluation.command_within((norm, 2 * largest), "pgd")


def _black_box(evaluation: Evaluation) -> tuple[str, str]:
    names = {run.key.attack for run in evaluation.full if run.key.gradient == GRADIENT_FREE}
    hard = names.intersection(HARD_LABEL)
    if not names - hard:
        return NOT_MET, evaluation.command("square")
    if not hard:
        return NOT_MET, evaluation.command(HOP_SKIP_JUMP)
    return MET, ", ".join(sorted(names))


def _transfer(evaluation: Evaluation) -> tuple[str, str]:
    other = next(name for name in TRANSFER if name != evaluation.model)
    sources = {run.key.transfer_from for run in evaluation.runs if run.key.transfer_from}
    command = evaluation.command("pgd", f"--transfer-from {other}")
    return _state(bool(sources), f"from {', '.join(sorted(sources))}", command)


def _logits(evaluation: Evaluation) -> tuple[str, str]:
    service = is_service(evaluation.runs[0].key.model)
    return _state(not service, "attacks use the logits of the network", "the service gives probabilities only")


def _optimisation(evaluation: Evaluation) -> tuple[str, str]:
    if not (evaluation.method and evaluation.method.optimised):
        return NOT_APPLICABLE, "the defence contains no optimisation"
    kinds = {run.key.gradient for run in evaluation.full}
    has = bool(kinds & {"surrogate", "bpda"}) and GRADIENT_FREE in kinds
    return _state(has, "surrogate gradients, and without gradients", evaluation.command("pgd", "-a square"))


def _published(evaluation: Evaluation) -> tuple[str, str]:
    is_known = evaluation.through == NONE or evaluation.method is not None
    return _state(is_known, "in this package; the records name versions, seeds and settings", "publish the method")


_CHECKS: dict[str, Check] = {
    "threat model and clean accuracy stated": _threat,
    "gradient through the whole defence": _gradient,
    "20 draws per gradient, AutoAttack rand": _eot,
    "AutoAttack standard, and the minimum": _standard,
    "attacked with known random numbers": _fixed,
    "judged by 8 or more fresh draws": _judges,
    "twice the steps do not help": _steps,
    "success reaches 100 % with epsilon": _curve,
    "a score attack and a label attack": _black_box,
    "transfer from another classifier": _transfer,
    "logits, not probabilities": _logits,
    "more than AutoAttack for optimisation": _optimisation,
    "weights and commands are public": _published,
}


def _state(is_met: bool, detail: str, command: str) -> tuple[str, str]:
    return (MET, detail) if is_met else (NOT_MET, command)
