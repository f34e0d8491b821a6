"""AutoAttack and its parts, run by the authors' code (Croce and Hein, arXiv 2003.01690; package pyautoattack).

Each attack gets one image, and all random numbers follow from the image's seed.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.defence_queries import ends_at_success, is_random, judged_logits, reliable_logits
from dptools.attacks.lattice import round_within_budget
from dptools.attacks.norms import Budget
from dptools.attacks.query_counter import Stopped
from dptools.attacks.raw_result import RawResult
from dptools.errors import SampleError
from dptools.randomness import seeded

NORMS = {"linf": "Linf", "l2": "L2"}

MAX_TARGETS = 9
"""Number of target classes of the targeted attacks: the most probable ones besides the label."""


def apgd_ce(batch: AttackBatch, *, epsilon: float, norm: str, steps: int, restarts: int) -> RawResult:
    """Maximise the cross-entropy by projected gradient descent with an adaptive step size.

    Args:
        batch: One image to attack.
        epsilon: Largest perturbation.
        norm: ``linf`` or ``l2``.
        steps: Number of iterations of each run.
        restarts: Largest number of runs, each from another random start.
    """
    return _apgd(APGDAttack, batch, epsilon, norm, steps, restarts, loss="ce")


def apgd_dlr(batch: AttackBatch, *, epsilon: float, norm: str, steps: int, restarts: int) -> RawResult:
    """Maximise the difference of logits ratio, which does not depend on the scale of the logits; see apgd_ce."""
    _check_classes(batch)
    return _apgd(APGDAttack, batch, epsilon, norm, steps, restarts, loss="dlr")


def apgd_t(
    batch: AttackBatch, *, epsilon: float, norm: str, steps: int, restarts: int, targets: int = MAX_TARGETS
) -> RawResult:
    """Maximise the targeted difference of logits ratio, for one target class after another; see apgd_ce.

    Args:
        batch: One image to attack.
        epsilon: Largest perturbation.
        norm: ``linf`` or ``l2``.
        steps: Number of iterations of each run.
        restarts: Largest number of runs for each target class.
        targets: Number of target classes.
    """
    count = min(targets, _check_classes(batch) - 1)
    return _apgd(APGDAttack_targeted, batch, epsilon, norm, steps, restarts, range(2, count + 2))


def fab_t(
    batch: AttackBatch, *, epsilon: float, norm: str, steps: int, restarts: int, targets: int = MAX_TARGETS
) -> RawResult:
    """Search for the nearest adversarial image, for one target class after another (arXiv 1907.02044).

    The arguments are those of :func:`apgd_t`.
    """
    with _seeded(batch):
        attack = FABAttack_PT(
            batch.counted,
            norm=NORMS[norm],
            n_restarts=restarts,
            n_iter=steps,
            eps=epsilon,
            seed=batch.seeds[0],
            targeted=True,
            device=batch.images.device,
            n_target_classes=min(targets, _check_classes(batch) - 1),
        )
        return _result(attack.perturb(_images(batch), batch.labels))


def square(batch: AttackBatch, *, epsilon: float, norm: str, queries: int, restarts: int) -> RawResult:
    """Search at random with squares, without gradients (arXiv 1912.00049).

    Behind a random defence, a query that fools the classifier is repeated with the draws that judge an image, so that
    the search does not end because of one lucky draw.

    Args:
        batch: One image to attack.
        epsilon: Largest perturbation.
        norm: ``linf`` or ``l2``.
        queries: Largest number of queries of each run.
        restarts: Largest number of runs.
    """
    side = batch.images.shape[-1]
    if norm == "l2" and (side < 5 or side // (side // 5) != 5):
        raise SampleError("AttackFailed", f"square starts from 5 x 5 tiles in L2, and cannot tile {side} pixels")
    with _seeded(batch):
        attack = SquareAttack(
            partial(reliable_logits, batch),
            norm=NORMS[norm],
            n_queries=queries,
            eps=epsilon,
            seed=batch.seeds[0],
            resc_schedule=False,
            device=batch.images.device,
        )
        attack.init_hyperparam(_images(batch))
        torch.manual_seed(batch.seeds[0])
        for _ in range(restarts):
            _, best = attack.attack_single_run(_images(batch), batch.labels)
            if batch.margins(0, best) > 0:
                break
        return _result(best)


def auto_attack(batch: AttackBatch, *, epsilon: float, norm: str, version: str, steps: int, queries: int) -> RawResult:
    """Run several attacks until one succeeds.

    Args:
        batch: One image to attack.
        epsilon: Largest perturbation.
        norm: ``linf`` or ``l2``.
        version: ``standard`` is apgd-ce, apgd-t, fab-t and square. ``rand``, for random defences, is apgd-ce and
            apgd-dlr. ``auto`` chooses ``rand`` behind a random defence and otherwise ``standard``.
        steps: Number of iterations of the gradient attacks.
        queries: Number of queries of square.

    Returns:
        The first image that is adversarial after rounding to 8 bits, before that rounding. If there is none, the image
        with the largest margin of all attacks. The measurement ``component`` names its attack.
    """
    if version == "auto":
        version = "rand" if is_random(batch) else "standard"
    common: dict[str, Any] = {"epsilon": epsilon, "norm": norm, "restarts": 1}
    budget = Budget(norm, epsilon)
    attacks: dict[str, Callable[[], RawResult]] = {"apgd-ce": partial(apgd_ce, batch, steps=steps, **common)}
    if version == "rand":
        attacks["apgd-dlr"] = partial(apgd_dlr, batch, steps=steps, **common)
    else:
        attacks["apgd-t"] = partial(apgd_t, batch, steps=steps, **common)
        attacks["fab-t"] = partial(fab_t, batch, steps=steps, **common)
        attacks["square"] = partial(square, batch, queries=queries, **common)
    best, best_margin, best_name = batch.images, -torch.inf, "apgd-ce"
    for name, attack in attacks.items():
        try:
            found = attack().images
        except Stopped as stop:  # the image is adversarial in all draws that judge it
            return RawResult(stop.images, [{"component": name}])
        rounded = round_within_budget(batch.images, found, budget)
        margin = float(batch.margins_of(0, judged_logits(batch, rounded)))
        if margin > best_margin:
            best, best_margin, best_name = found, margin, name
        if best_margin > 0 and ends_at_success(batch):
            break
    return RawResult(best, [{"component": best_name}])


@contextmanager
def _seeded(batch: AttackBatch) -> Iterator[None]:
    with seeded(batch.seeds[0], batch.images.device), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a gradient of 0 is visible in the result
        yield


def _result(images: Tensor) -> RawResult:
    return RawResult(images.detach().clamp(0, 1))


def _apgd(
    attack: Any,
    batch: AttackBatch,
    epsilon: float,
    norm: str,
    steps: int,
    restarts: int,
    ranks: Iterable[int] = (0,),
    **options: Any,
) -> RawResult:
    """Run Auto-PGD, for each of the ranks of a target class among the logits; rank 0 is an untargeted attack."""
    device, seed = batch.images.device, batch.seeds[0]
    settings = {"n_iter": steps, "norm": NORMS[norm], "eps": epsilon, "seed": seed, "device": device, **options}
    with _seeded(batch):
        return _result(_strongest(attack(batch.counted, **settings), batch, restarts, ranks))


def _strongest(attack: Any, batch: AttackBatch, restarts: int, ranks: Iterable[int]) -> Tensor:
    """Return the first adversarial image of several runs; if there is none, the one with the largest margin.

    The reference implementation returns the clean image in the second case. The image with the largest margin can
    still fool a random defence in some draws, or another classifier. A random defence is only fooled if the mean over
    the draws that judge an image is: the reference implementation accepts one lucky draw.
    """
    attack.init_hyperparam(_images(batch))
    torch.manual_seed(batch.seeds[0])
    clean = batch.counted(batch.images).detach()
    as_reference = ends_at_success(batch) and not is_random(batch)
    if as_reference and batch.all_succeed(batch.images, clean):
        return batch.images
    best, best_margin = batch.images, -torch.inf
    for rank in ranks:
        for _ in range(restarts):
            if rank:
                others = [label for label in clean.argsort(dim=1, descending=True)[0] if label != batch.labels[0]]
                attack.y_target = others[rank - 2].view(1)
            highest_loss, correct, _, adversarial = attack.attack_single_run(_images(batch), batch.labels)
            if as_reference and not correct.any():
                result: Tensor = adversarial
                return result
            for candidate in (highest_loss,) if correct.any() else (highest_loss, adversarial):
                if (margin := float(batch.margins_of(0, judged_logits(batch, candidate.detach())))) > best_margin:
                    best, best_margin = candidate.detach(), margin
            if best_margin > 0 and ends_at_success(batch):
                return best
    return best


def _images(batch: AttackBatch) -> Tensor:
    """Return the images in contiguous memory, as the authors' code requires."""
    return batch.images.contiguous()


def _check_classes(batch: AttackBatch) -> int:
    classes = batch.scores(0, batch.images).shape[1]
    if classes < 4:
        raise SampleError("AttackFailed", f"this attack compares four classes, and the classifier has {classes}")
    return classes
