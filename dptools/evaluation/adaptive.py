"""Evaluation of a defended classifier by several attacks, and signs that the attacks are too weak to judge it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from shlex import quote
from typing import Any

from dptools.attacks.registry import EPSILONS
from dptools.certify.smoothing import Smoothing, parse_defence
from dptools.classifiers.names import DEFAULT
from dptools.errors import UsageError
from dptools.evaluation.keys import NONE
from dptools.evaluation.robustness import Robustness, Run
from dptools.evaluation.run_key import GRADIENT_FREE, names, number
from dptools.purifiers import Method
from dptools.texts import printable

TOLERANCE = 0.02
"""The largest decrease of accuracy that counts as no decrease when an attack gets twice as many steps."""

HOP_SKIP_JUMP = "HopSkipJumpAttack"

Bound = tuple[str, float]
"""A norm and an epsilon."""


@dataclass(frozen=True)
class Evaluation:
    """All attacks on one classifier with one defence.

    Attributes:
        model: The classifier.
        through: The defence; ``none`` for none.
        name: The defence, with the classifier if several were attacked.
        runs: The runs.
    """

    model: str
    through: str
    name: str
    runs: list[Run]

    @property
    def method(self) -> Method | Smoothing | None:
        """The defence; None for none, or if this version does not know it."""
        try:
            return None if self.through == NONE else parse_defence(self.through)
        except UsageError:
            return None

    @property
    def is_random(self) -> bool:
        """Whether the defence draws random numbers."""
        return any(run.key.random for run in self.runs)

    @property
    def full(self) -> list[Run]:
        """Runs of attackers who know everything but the random numbers."""
        return [run for run in self.runs if run.key.knows_all]

    @property
    def bound(self) -> Bound | None:
        """The norm and epsilon of the first run whose norm the attacks of this package take; None without any."""
        bounds = ((run.key.norm, run.key.epsilon) for run in self.runs)
        return next(((norm, epsilon) for norm, epsilon in bounds if norm in EPSILONS and epsilon), None)

    def command(self, attack: str, options: str = "") -> str:
        """Return a command of dp-attack against this classifier and defence, with the bound of the first run."""
        return self.command_within(self.bound, attack, options)

    def command_within(self, bound: Bound | None, attack: str, options: str = "") -> str:
        """Return a command of dp-attack against this classifier and defence, with this bound; None for no limit."""
        model = "" if self.model in (DEFAULT, NONE) else f"--model {quote(self.model)}"
        through = "" if self.through == NONE else f"--through {quote(self.through)}"
        parts = (f"dp-attack -a {quote(attack)}", options, _bound_options(attack, bound), model, through)
        return " ".join(filter(None, parts))


def _bound_options(attack: str, bound: Bound | None) -> str:
    if bound is None:
        return ""
    norm, epsilon = bound
    # HopSkipJump minimises the perturbation in the norm of its parameter, which is l2 by default.
    norm_option = "--set constraint=linf" if (attack, norm) == (HOP_SKIP_JUMP, "linf") else f"--norm {norm}"
    return f"{norm_option} --epsilon {number(min(epsilon, 1.0) if norm == 'linf' else epsilon)}"


def evaluations(robustness: Robustness) -> list[Evaluation]:
    """Return the evaluation of each defended classifier in the records."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for key, run in robustness.runs.items():
        groups.setdefault((key.model, key.through), []).append(run)
    several = robustness.several_models
    return [
        Evaluation(model, through, f"{through} before {printable(model)}" if several else through, runs)
        for (model, through), runs in groups.items()
    ]


def warnings(evaluation: Evaluation) -> Iterator[str]:
    """Yield a sentence for each sign that the attacks are too weak to judge the defence."""
    name = names(run.key for run in evaluation.runs)
    for free, gradient in _beaten(evaluation):
        first, second = name[free.key], name[gradient.key]
        yield f"{first} breaks more images than {second}: the gradient is masked, or its attack is too weak"
    for few, many in helped(evaluation.full):
        yield f"{name[many.key]} breaks more images than {name[few.key]}: increase the number of steps further"
    if evaluation.through != NONE and not reaches_zero(evaluation):
        yield "no attack breaks every image: increase --epsilon until one does, to show that the attacks work"
    for run in evaluation.full:
        key = run.key
        if evaluation.method and evaluation.method.differentiable and key.gradient in ("bpda", "surrogate"):
            yield f"{name[key]}: {evaluation.through} has an exact gradient, so this result is too optimistic"


def reaches_zero(evaluation: Evaluation) -> bool:
    """Return whether an attack breaks every image."""
    return any(run.majority.k == 0 and run.clean.k > 0 for run in evaluation.full)


def most_steps(runs: Iterable[Run]) -> int:
    """Return the largest number of steps of projected gradient descent; 40 if there is none."""
    return max((run.key.steps or 0 for run in runs if "pgd" in run.key.attack), default=0) or 40


def step_pairs(runs: Iterable[Run]) -> Iterator[tuple[Run, Run]]:
    """Yield two runs of each attack that differ in the number of steps only.

    The second has the most steps. The first has the most of the runs with at most half as many.
    """
    same: dict[tuple[Any, ...], dict[int, Run]] = {}
    for run in runs:
        if run.key.steps:
            same.setdefault(run.key.without("steps"), {})[run.key.steps] = run
    for by_steps in same.values():
        most = max(by_steps)
        if fewer := [steps for steps in by_steps if 2 * steps <= most]:
            yield by_steps[max(fewer)], by_steps[most]


def helped(runs: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Return the pairs of :func:`step_pairs` in which more steps break more images."""
    return [pair for pair in step_pairs(runs) if decrease(*pair) > TOLERANCE]


def decrease(few: Run, many: Run) -> float:
    """Return by how much accuracy is lower in the second run, on the images of both."""
    common = few.outcomes.keys() & many.outcomes.keys()
    if not common:
        return 0.0
    return sum(few.outcomes[name].majority - many.outcomes[name].majority for name in common) / len(common)


def _beaten(evaluation: Evaluation) -> Iterator[tuple[Run, Run]]:
    """Yield pairs of a run without gradients and the strongest run with gradients that breaks fewer images."""
    for free in evaluation.full:
        if free.key.gradient != GRADIENT_FREE:
            continue
        rivals = [run for run in evaluation.full if run.key.threat == free.key.threat]
        rivals = [run for run in rivals if run.key.gradient != GRADIENT_FREE]
        if rivals and all(decrease(run, free) > 0 for run in rivals):
            yield free, min(rivals, key=lambda run: run.majority.k / max(run.majority.n, 1))
