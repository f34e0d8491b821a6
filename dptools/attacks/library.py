"""Attacks that Foolbox 3 (arXiv 1707.04131) runs."""

from collections.abc import Sequence
from typing import Any

import eagerpy as ep
import foolbox
import torch
from foolbox.attacks import (
    L2CarliniWagnerAttack,
    L2DeepFoolAttack,
    LinfProjectedGradientDescentAttack,
    NewtonFoolAttack,
)
from foolbox.attacks.base import FixedEpsilonAttack
from torch import Tensor

from dptools.attacks.adef import ADefAttack, deformation
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.query_counter import AllSucceeded
from dptools.attacks.randomness import seeded
from dptools.attacks.raw_result import RawResult
from dptools.errors import SampleError, SetupError


def deepfool(problem: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """The nearest point, in L2, past the linearised border to another class (arXiv 1511.04599)."""
    return _run(L2DeepFoolAttack(loss="logits", **params), problem, epsilon)


def adef(problem: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """A smooth deformation (arXiv 1804.07729); its size is the longest vector, in pixels."""
    attack = ADefAttack(**params)
    found = _run(attack, problem, epsilon)
    return RawResult(found.images, [{"deformation": size} for size in deformation(attack.fields).tolist()])


def carlini_wagner(problem: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """The smallest perturbation in L2 by gradient descent, weighed against the margin (arXiv 1608.04644)."""
    return _run(L2CarliniWagnerAttack(**params), problem, epsilon)


def newtonfool(problem: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """Steps that lower the label's probability (Jang, Wu and Jha, ACSAC 2017).

    Foolbox moves no image that is adversarial already, but asks about it again in each step: that is cut short.
    """
    attack = NewtonFoolAttack(**params)
    try:
        with problem.until_all_succeed():
            return _run(attack, problem, epsilon)
    except AllSucceeded as done:
        return _finished(attack, problem, done.images, epsilon)


def pgd(problem: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """Projected gradient descent within a ball of Linf (arXiv 1706.06083)."""
    return _run(_SeededPGD(problem.seeds, **params), problem, epsilon)


def run(problem: AttackBatch, *, epsilon: float | None, attack: str, **params: Any) -> RawResult:
    """Any attack of Foolbox.

    Args:
        attack: its class in ``foolbox.attacks``.

    Raises:
        SetupError: it needs a package that Foolbox does not bring along.
        SampleError: it cannot be run on the image, for instance because it finds no place to start from.
    """
    if "distance" in params:
        params["distance"] = getattr(foolbox.distances, params["distance"])
    with seeded(problem.seeds[0], problem.images.device):
        try:
            return _run(getattr(foolbox.attacks, attack)(**params), problem, epsilon)
        except ImportError as error:
            raise SetupError(f"{attack}: package {error.name} is missing: pip install {error.name}") from None
        except (ValueError, AssertionError, NotImplementedError) as error:
            why = str(error) or "Foolbox does not say why"
            raise SampleError("AttackFailed", f"{attack} cannot attack it: {why}") from None


def _run(attack: Any, problem: AttackBatch, epsilon: float | None) -> RawResult:
    bounded = isinstance(attack, FixedEpsilonAttack)
    _, images, _ = attack(problem.model, problem.images, problem.criterion, epsilons=epsilon if bounded else None)
    return _finished(attack, problem, images.detach(), None if bounded else epsilon)


def _finished(attack: Any, problem: AttackBatch, images: Tensor, epsilon: float | None) -> RawResult:
    """The images within epsilon. Where Foolbox finds nothing, some attacks give a black image, which the classifier of
    course gets wrong, and NewtonFool may divide by zero: there the image stays as it was."""
    rows = images.flatten(1)
    nothing = (rows == 0).all(dim=1) | ~rows.isfinite().all(dim=1)
    found = torch.where(nothing.view(-1, 1, 1, 1), problem.images, images)
    if epsilon is not None:
        found = attack.distance.clip_perturbation(problem.images, found, epsilon)
    return RawResult(found.clamp(0, 1))


class _SeededPGD(LinfProjectedGradientDescentAttack):
    """PGD that draws each image's first step from the image's own seed, whatever else is attacked with it."""

    def __init__(self, seeds: Sequence[int], **params: Any) -> None:
        super().__init__(**params)
        self.seeds = seeds

    def get_random_start(self, x0: ep.Tensor, epsilon: float) -> ep.Tensor:
        starts = []
        for row, seed in enumerate(self.seeds):
            with seeded(seed, x0.raw.device):
                starts.append(super().get_random_start(x0[row : row + 1], epsilon))
        return ep.concatenate(starts)
