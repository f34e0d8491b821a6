"""Rounding of adversarial images to 8 bits, so that they stay adversarial."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.norms import Budget

# The repair computes the gradient at most this many times. In each round, a value moves by at most one 8-bit step.
MAX_ROUNDS = 8

# The first try of a repair moves at least this many values. The number is doubled until the image is adversarial again,
# and then reduced by bisection.
MIN_MOVES = 16

# The bisection ends when the number of moves is known to within count / SEARCH_PRECISION.
SEARCH_PRECISION = 16

FACTORS = (1, 1.02, 1.05, 1.1, 1.2, 1.4, 1.7, 2)
"""Multiples of the perturbation that a repair without gradients tries."""

POWERS = {"l1": 1, "l2": 2}
"""The norms that are sums over values, with their powers."""


def round_to_8bit(image: Tensor) -> Tensor:
    """Return the image rounded to multiples of 1/255 in [0, 1]."""
    return (image * 255).round().clamp(0, 255) / 255


def round_within_budget(clean: Tensor, adversarial: Tensor, budget: Budget) -> Tensor:
    """Return an image rounded to multiples of 1/255, within the budget if the adversarial image is.

    Without a limit, each value goes to the nearest step. In L1 and L2, plain rounding would exceed the budget or waste
    much of it, because most changes are smaller than a step. Therefore, values with the largest fractions of a step
    move away from the clean image until the perturbation is as large as before rounding, and the others towards it.
    """
    image = round_to_8bit(adversarial)
    if budget.norm is None or budget.epsilon is None:
        return image
    steps = (adversarial.cpu().double() - clean.cpu()) * 255  # MPS has no float64
    if budget.norm == "linf":
        most = math.floor(255 * budget.largest)
        rounded = steps.round().clamp(-most, most)
    elif budget.norm in POWERS:
        rounded = _rounded_steps(steps, 255 * budget.epsilon, POWERS[budget.norm])
    else:
        return image
    return round_to_8bit(clean + rounded.to(clean) / 255)


def _rounded_steps(steps: Tensor, limit: float, power: int) -> Tensor:
    """Return whole steps whose L1 or L2 norm is about that of the given steps, and at most the limit.

    Args:
        steps: Changes in 8-bit steps, of any shape, float64.
        limit: Largest norm in 8-bit steps.
        power: 1 for L1, 2 for L2.
    """
    sizes = steps.abs().flatten()
    whole = (sizes + 1e-4).floor()  # a floating-point value can lie just below a whole step
    whole = whole.where(whole.pow(power).sum() <= limit**power, sizes.floor())
    rest = min(float(sizes.pow(power).sum()), limit**power) - float(whole.pow(power).sum())
    order = (sizes - whole).argsort(descending=True, stable=True)
    costs = ((whole + 1).pow(power) - whole.pow(power))[order]
    whole[order[: int((costs.cumsum(0) <= rest).sum())]] += 1
    return whole.view(steps.shape) * steps.sign()


def round_adversarial(batch: AttackBatch, row: int, adversarial: Tensor, budget: Budget) -> Tensor:
    """Return an 8-bit image that is close to an adversarial image and is adversarial itself.

    Attacks that minimise the perturbation end so close to the decision boundary that rounding often undoes them. The
    repair moves values by one 8-bit step along the gradient of the margin. The order of the moves is by their gain in
    margin, divided by the increase of the distance from the unrounded image. The repair moves about as few values as
    possible.

    Args:
        batch: Batch under attack.
        row: Row of the image in the batch.
        adversarial: 1 x 3 x H x W in [0, 1].
        budget: Largest perturbation.

    Returns:
        1 x 3 x H x W, multiples of 1/255 within the budget. If the repair fails, this is the rounded image, which is
        not adversarial.
    """
    clean = batch.images[row : row + 1]
    image = plain = round_within_budget(clean, adversarial, budget)

    def succeeds(image: Tensor) -> bool:
        return budget.allows(clean, image) and bool(batch.margins(row, image) > 0)

    for round_ in range(MAX_ROUNDS):
        if succeeds(image):
            return image
        moves = _Moves.along_gradient(batch.margin_gradient(row, image), image, adversarial)
        max_count = moves.count_within(clean, budget)
        first = min(moves.count_for_gain(-float(batch.margins(row, image))), max_count)
        # The first gradient, at the plainly rounded image, is less useful than later ones. The first round therefore
        # does not try more than ``first`` moves.
        image = _fewest_moves(moves, succeeds, first, max_count if round_ else first)
    return image if succeeds(image) else plain


def round_further(batch: AttackBatch, row: int, adversarial: Tensor, budget: Budget) -> Tensor:
    """Return an 8-bit image that is adversarial itself, without gradients.

    If rounding undoes the attack, the image moves further along the perturbation. The arguments and the result are
    those of :func:`round_adversarial`.
    """
    clean = batch.images[row : row + 1]
    for factor in FACTORS:
        moved = (clean + factor * (adversarial - clean)).clamp(0, 1)
        image = round_within_budget(clean, moved, budget)
        if budget.allows(clean, image) and batch.margins(row, image) > 0:
            return image
    return round_within_budget(clean, adversarial, budget)


@dataclass(frozen=True)
class _Moves:
    """Changes of single values by one 8-bit step, best first.

    Attributes:
        image: The 8-bit image before the moves.
        order: Flat indices of the values, in the order of the moves.
        steps: Direction of each value's move: -1, 0 or 1; flat.
        gains: Cumulative gain in margin after each move, if the margin were linear.
    """

    image: Tensor
    order: Tensor
    steps: Tensor
    gains: Tensor

    @classmethod
    def along_gradient(cls, gradient: Tensor, image: Tensor, adversarial: Tensor) -> "_Moves":
        """Order the moves by their gain per increase of the distance from the unrounded image."""
        steps = gradient.sign()
        moved = image * 255 + steps
        steps = steps.where((moved > -0.5) & (moved < 255.5), 0)
        offset = (image - adversarial) * 255
        distance_increase = (1 + 2 * steps * offset).clamp(min=0.05)
        gains = (gradient * steps).flatten() / 255
        order = (gains / distance_increase.flatten()).argsort(descending=True, stable=True)
        order = order[: int(steps.count_nonzero())]
        return cls(image, order, steps.flatten(), gains[order].cpu().double().cumsum(0))

    def apply(self, count: int) -> Tensor:
        """Return the image after the first ``count`` moves."""
        moved = self.image.clone().flatten()
        chosen = self.order[:count]
        moved[chosen] += self.steps[chosen] / 255
        return round_to_8bit(moved.view_as(self.image))

    def count_for_gain(self, gain: float) -> int:
        """Return the number of moves that would give this gain in margin, if the margin were linear."""
        return min(max(MIN_MOVES, int((self.gains < gain).sum()) + 1), len(self.order))

    def count_within(self, clean: Tensor, budget: Budget) -> int:
        """Return a number of moves after which the image is within the budget.

        A smaller number of moves can exceed the budget, because later moves can lead back towards the clean image.
        """
        low, high = 0, len(self.order)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if budget.allows(clean, self.apply(middle)) else (low, middle - 1)
        return low


def _fewest_moves(moves: _Moves, succeeds: Callable[[Tensor], bool], first: int, max_count: int) -> Tensor:
    """Return the image after about the fewest moves that succeed, or after ``max_count`` moves if none do.

    The search starts with ``first`` moves.
    """
    count, failed = first, 0
    while not succeeds(moves.apply(count)):
        if count == max_count:
            return moves.apply(max_count)
        failed, count = count, min(2 * count, max_count)
    while count - failed > max(1, count // SEARCH_PRECISION):
        middle = (failed + count) // 2
        failed, count = (failed, middle) if succeeds(moves.apply(middle)) else (middle, count)
    return moves.apply(count)
