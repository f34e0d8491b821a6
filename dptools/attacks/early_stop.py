"""Early end of an attack on a defended classifier."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.defence_queries import ends_at_success, is_confirmed
from dptools.attacks.lattice import round_within_budget
from dptools.attacks.norms import Budget


@contextmanager
def stop_when_broken(batch: AttackBatch, budget: Budget) -> Iterator[None]:
    """Let the batch's model raise Stopped as soon as its only image is adversarial within the budget.

    The image is first rounded to 8 bits. It must then be adversarial in all fresh purifications that judge it. Attacks
    on undefended classifiers, and attacks without a budget, are not stopped: their further steps make the image more
    adversarial, or the perturbation smaller.
    """
    if (
        not hasattr(batch.classifier, "confirms")
        or not ends_at_success(batch)
        or budget.epsilon is None
        or len(batch.images) > 1
    ):
        yield
        return

    def broken(images: Tensor, scores: Tensor) -> bool:
        if not batch.all_succeed(images, scores) or not budget.allows(batch.images, images):
            return False
        return is_confirmed(batch, round_within_budget(batch.images, images, budget))

    with batch.stop_when(broken):
        yield
