"""Run an attack on images, and judge each by the 8-bit image that will be saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dptools.attacks.attack import Attack
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import Budget, nearest, to_lattice
from dptools.attacks.query_counter import BLOCK, block_size
from dptools.devices import free_memory, out_of_memory


@dataclass(frozen=True)
class AttackResult:
    """What came of an attack on one image.

    Attributes:
        image: 1 x 3 x H x W, on the 8-bit lattice: multiples of 1/255.
        scores: of the classifier, for this image; one for each class.
        success: the classifier takes the image for another class, or for the target if there is one.
        success_float: it did before rounding.
        facts: what the attack tells of itself; see :class:`dptools.attacks.raw_result.RawResult`.
        norms: size of the perturbation as saved; see :func:`norms`.
        queries: images that the classifier was asked about.
    """

    image: Tensor
    scores: Tensor
    success: bool
    success_float: bool
    facts: dict[str, float]
    norms: dict[str, float]
    queries: int


def perturb(
    attack: Attack,
    classifier: nn.Module,
    images: Tensor,
    labels: Sequence[int],
    *,
    seeds: Sequence[int],
    target: int | None = None,
    repair: bool = True,
) -> list[AttackResult]:
    """Attack images.

    Args:
        classifier: images in [0, 1] to scores.
        images: B x 3 x H x W in [0, 1], on the 8-bit lattice.
        labels: B true classes.
        seeds: B seeds, for attacks that draw at random. Global random states are left as they were.
        target: the class to reach; None where any but the label will do.
        repair: mend what rounding undoes; it takes some queries.

    Returns:
        B outcomes, each as it would be if the image had been attacked alone. Where a GPU's memory does not suffice, the
        classifier is asked about half as many images at once, from then on; its last bits may then differ.
    """
    size = block_size(classifier, images.device)
    block = size if attack.together else 1
    parts = [slice(start, start + block) for start in range(0, len(images), block)]
    problems = (_filled(classifier, images[at], labels[at], seeds[at], target, block) for at in parts)
    try:
        return [outcome for problem in problems for outcome in solve(attack, problem, repair=repair)]
    except Exception as error:
        if size == 1 or not out_of_memory(error):
            raise
    free_memory()
    BLOCK[images.device.type] = size // 2
    return perturb(attack, classifier, images, labels, seeds=seeds, target=target, repair=repair)


def solve(attack: Attack, problem: AttackBatch, *, repair: bool = True) -> list[AttackResult]:
    """The outcomes of an attack on all images of a problem at once; see :func:`perturb`."""
    attempt = attack(problem)
    problem.forget()
    return [_outcome(problem, row, *attempt.of(row), attack, repair) for row in range(problem.wanted)]


def _filled(
    classifier: nn.Module, images: Tensor, labels: Sequence[int], seeds: Sequence[int], target: int | None, block: int
) -> AttackBatch:
    """A problem of ``block`` rows, the last image again and again: sums over a batch may hang, to the last bit, on its
    size."""
    rows = [*range(len(images)), *[len(images) - 1] * (block - len(images))]
    return AttackBatch(
        classifier,
        images[rows],
        [labels[row] for row in rows],
        seeds=[seeds[row] for row in rows],
        target=target,
        block=block,
        wanted=len(images),
    )


def norms(perturbation: Tensor) -> dict[str, float]:
    """The size of one perturbation between two 8-bit images, on the [0, 1] scale and, with ``_255``, in 8-bit steps.

    ``l0`` is the share of the values that changed, ``l0_count`` their number.
    """
    steps = (perturbation.double() * 255).round()
    changed, length, largest = int(steps.count_nonzero()), float(steps.norm()), int(steps.abs().max())
    return {
        "l0": changed / steps.numel(),
        "l0_count": changed,
        "l2": length / 255,
        "l2_255": length,
        "linf": largest / 255,
        "linf_255": largest,
    }


def _outcome(
    problem: AttackBatch, row: int, exact: Tensor, facts: dict[str, float], attack: Attack, repair: bool
) -> AttackResult:
    success_float = bool(problem.margins(row, exact) > 0)
    budget, clean = Budget.of(attack.norm, attack.epsilon), problem.images[row : row + 1]
    mend = repair and success_float
    image = to_lattice(problem, row, exact, budget) if mend else nearest(clean, exact, budget)
    scores = problem.scores(row, image)
    size = norms(image - clean)
    success = bool(problem.margin(row, scores) > 0)
    return AttackResult(image, scores[0], success, success_float, facts, size, problem.queries[row])
