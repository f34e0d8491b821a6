"""Attacks that Foolbox 3 (arXiv 1707.04131) runs."""

from collections.abc import Sequence
from typing import Any

import eagerpy as ep
import foolbox
import torch
from foolbox.attacks import (
    L2CarliniWagnerAttack,
    L2DeepFoolAttack,
    L2ProjectedGradientDescentAttack,
    LinfProjectedGradientDescentAttack,
    NewtonFoolAttack,
)
from foolbox.attacks.base import FixedEpsilonAttack, MinimizationAttack
from torch import Tensor

from dptools.attacks.adef import ADefAttack
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.defence_queries import reliable_criterion
from dptools.attacks.norms import DISTANCES
from dptools.attacks.query_counter import Stopped
from dptools.attacks.raw_result import RawResult
from dptools.attacks.vector_fields import deformation
from dptools.errors import SampleError, SetupError
from dptools.randomness import seeded


def deepfool(batch: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """Step to the nearest linearised decision boundary in L2 until the image is misclassified (arXiv 1511.04599)."""
    return _run(_DeepFool(batch.labels, loss="logits", **params), batch, epsilon)


def adef(batch: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """Deform the image smoothly (arXiv 1804.07729). Measures the longest displacement vector in pixels."""
    attack = ADefAttack(**params)
    result = _run(attack, batch, epsilon)
    return RawResult(result.images, [{"deformation": size} for size in deformation(attack.fields).tolist()])


def carlini_wagner(batch: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """Minimise the L2 norm plus a weighted margin loss by gradient descent (arXiv 1608.04644)."""
    return _run(L2CarliniWagnerAttack(**params), batch, epsilon)


def newtonfool(batch: AttackBatch, *, epsilon: float | None, **params: Any) -> RawResult:
    """Take steps that lower the probability of the label (Jang, Wu and Jha, ACSAC 2017).

    Foolbox continues to query images that are already adversarial, without changing them. This function stops the
    attack as soon as all images are adversarial. Behind a defence, where one draw proves little, it does not: there,
    :func:`dptools.attacks.early_stop.stop_when_broken` ends attacks with a limit.
    """
    attack = NewtonFoolAttack(**params)
    if hasattr(batch.classifier, "judge"):
        return _run(attack, batch, epsilon)
    try:
        with batch.stop_when(batch.all_succeed):
            return _run(attack, batch, epsilon)
    except Stopped as stop:
        return _checked_result(attack, batch, stop.images, epsilon)


def pgd(batch: AttackBatch, *, epsilon: float | None, norm: str, **params: Any) -> RawResult:
    """Maximise the loss by projected gradient descent within a ball in Linf or L2 (arXiv 1706.06083)."""
    return _run(_PGD[norm](batch.seeds, **params), batch, epsilon)


def run_class(batch: AttackBatch, *, epsilon: float | None, class_name: str, **params: Any) -> RawResult:
    """Run any attack of Foolbox.

    Args:
        batch: Images to attack. It must be a single image if the attack draws random numbers.
        epsilon: Largest perturbation; None for no limit.
        class_name: Name of a class of ``foolbox.attacks``.
        params: Arguments of its constructor.

    Raises:
        SetupError: The attack needs a package that is not installed.
        SampleError: The attack failed on these images, for example because it found no starting point.
    """
    if "distance" in params:
        params["distance"] = DISTANCES[params["distance"]]
    with seeded(batch.seeds[0], batch.images.device):
        try:
            attack = getattr(foolbox.attacks, class_name)(**params)
            if "constraint" in params:
                attack.distance = DISTANCES[params["constraint"]]
            return _run(attack, batch, epsilon)
        except ImportError as error:
            raise SetupError(f"{class_name}: package {error.name} is missing: pip install {error.name}") from None
        except (ValueError, AssertionError, NotImplementedError) as error:
            cause = str(error) or "Foolbox gives no reason"
            if "init_attack failed" in cause:  # It found no adversarial image to start from.
                return RawResult(batch.images)
            raise SampleError("AttackFailed", f"{class_name} failed: {cause}") from None


def _run(attack: Any, batch: AttackBatch, epsilon: float | None) -> RawResult:
    fixed = isinstance(attack, FixedEpsilonAttack)
    criterion = reliable_criterion(batch) if isinstance(attack, MinimizationAttack) else batch.criterion
    _, images, _ = attack(batch.model, batch.images, criterion, epsilons=epsilon if fixed else None)
    return _checked_result(attack, batch, images.detach(), None if fixed else epsilon)


def _checked_result(attack: Any, batch: AttackBatch, images: Tensor, epsilon: float | None) -> RawResult:
    """Return the images clipped to epsilon, with the clean image in place of unusable ones.

    Some attacks return a black image if they fail. It would count as a success, because the classifier misclassifies
    it. NewtonFool can divide by zero and return NaN.
    """
    rows = images.flatten(1)
    unusable = (rows == 0).all(dim=1) | ~rows.isfinite().all(dim=1)
    usable = torch.where(unusable.view(-1, 1, 1, 1), batch.images, images)
    if epsilon is not None:
        usable = attack.distance.clip_perturbation(batch.images, usable, epsilon)
    return RawResult(usable.clamp(0, 1))


class _DeepFool(L2DeepFoolAttack):
    """DeepFool that leaves the label, even if the first draw of a random defence predicts another class."""

    def __init__(self, labels: Tensor, **params: Any) -> None:
        super().__init__(**params)
        self.labels = labels[:, None]

    def _get_loss_fn(self, model: Any, classes: ep.Tensor) -> Any:
        """Return the loss as a function of the image and the number of a class, given classes by score, B x K."""
        candidates = torch.cat([self.labels, classes.raw], dim=1)
        repeats = candidates == self.labels
        repeats[:, 0] = False
        order = repeats.int().argsort(dim=1, stable=True)
        return super()._get_loss_fn(model, ep.astensor(candidates.gather(1, order)[:, :-1]))


class _SeededStart:
    """PGD that draws the random start of each image from its own seed, independently of the other images."""

    def __init__(self, seeds: Sequence[int], **params: Any) -> None:
        super().__init__(**params)
        self.seeds = seeds

    def get_random_start(self, x0: ep.Tensor, epsilon: float) -> ep.Tensor:
        starts = []
        for row, seed in enumerate(self.seeds):
            with seeded(seed, x0.raw.device):
                starts.append(super().get_random_start(x0[row : row + 1], epsilon))  # type: ignore[misc]
        joined: ep.Tensor = ep.concatenate(starts)
        return joined


class _LinfPGD(_SeededStart, LinfProjectedGradientDescentAttack):
    pass


class _L2PGD(_SeededStart, L2ProjectedGradientDescentAttack):
    pass


_PGD = {"linf": _LinfPGD, "l2": _L2PGD}
