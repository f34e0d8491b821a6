"""From an adversarial image in real numbers to one of 8 bits that is adversarial still."""

from collections.abc import Callable
from dataclasses import dataclass

from foolbox import distances
from foolbox.distances import LpDistance
from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch

ROUNDS = 8
"""How many times the gradient is taken anew, and every value may move one step further."""

FEWEST = 16
"""So many values move at least, then twice as many, until the image is adversarial again."""

SHARPNESS = 16
"""The search ends when a sixteenth of the moves more or less is all that is left open."""


@dataclass(frozen=True)
class Budget:
    """The largest perturbation that is allowed; none if there is no epsilon."""

    distance: LpDistance | None = None
    epsilon: float | None = None

    @classmethod
    def of(cls, norm: str | None, epsilon: float | None) -> "Budget":
        """By the norm's name in Foolbox: ``l0``, ``l1``, ``l2``, ``linf``."""
        return cls(getattr(distances, norm) if norm else None, epsilon)

    def allows(self, clean: Tensor, image: Tensor) -> bool:
        """Whether an image 1 x 3 x H x W is near enough; distances are on the [0, 1] scale."""
        if self.distance is None or self.epsilon is None:
            return True
        return float(self.distance(clean, image)) <= self.epsilon * (1 + 1e-6) + 1e-6


def to_lattice(problem: AttackBatch, row: int, adversarial: Tensor, budget: Budget) -> Tensor:
    """The 8-bit image nearest to an adversarial image, as far as can be told, that is adversarial too.

    Minimal attacks end so close behind the border between two classes that rounding to 8 bits brings them back. So
    values move by one step in the direction of the margin's gradient, first those that are nearly half way between two
    steps anyway and those that gain the most; only as many move as it takes.

    Args:
        row: the image's place in the problem.
        adversarial: 1 x 3 x H x W in [0, 1].

    Returns:
        Multiples of 1/255, within the budget; not adversarial where nothing helps.
    """
    clean = problem.images[row : row + 1]
    image = plain = nearest(clean, adversarial, budget)

    def succeeds(image: Tensor) -> bool:
        return budget.allows(clean, image) and bool(problem.margins(row, image) > 0)

    for attempt in range(ROUNDS):
        if succeeds(image):
            return image
        moves = _Moves.towards(problem.margin_gradient(row, image), image, adversarial)
        most = moves.most(clean, budget)
        first = min(moves.enough(-float(problem.margins(row, image))), most)
        # The first gradient, that of the plain rounding, is followed only as far as it should take: the next is better.
        image = _fewest(moves, succeeds, first, most if attempt else first)
    return image if succeeds(image) else plain


def rounded(image: Tensor) -> Tensor:
    """The nearest multiples of 1/255 in [0, 1]."""
    return (image * 255).round().clamp(0, 255) / 255


def nearest(clean: Tensor, adversarial: Tensor, budget: Budget) -> Tensor:
    """An image rounded to multiples of 1/255, or, where that is beyond the budget, rounded towards the clean one."""
    if budget.allows(clean, image := rounded(adversarial)):
        return image
    steps = (adversarial.double() - clean) * 255
    for tolerance in (1e-4, 0.0):  # of whole steps in real numbers
        image = rounded(clean + (steps + tolerance * steps.sign()).trunc().float() / 255)
        if budget.allows(clean, image):
            break
    return image


@dataclass(frozen=True)
class _Moves:
    """Steps of one value each, in the order in which they are made."""

    image: Tensor
    order: Tensor
    steps: Tensor
    gains: Tensor

    @classmethod
    def towards(cls, gradient: Tensor, image: Tensor, adversarial: Tensor) -> "_Moves":
        """The most gain for the least way from the real-valued image first."""
        steps = gradient.sign()
        moved = image * 255 + steps
        steps = steps.where((moved > -0.5) & (moved < 255.5), 0)
        off = (image - adversarial) * 255
        way = (1 + 2 * steps * off).clamp(min=0.05)
        gains = (gradient * steps).flatten() / 255
        order = (gains / way.flatten()).argsort(descending=True, stable=True)[: int(steps.count_nonzero())]
        return cls(image, order, steps.flatten(), gains[order].cpu().double().cumsum(0))

    def __call__(self, count: int) -> Tensor:
        """The image after so many moves."""
        moved = self.image.clone().flatten()
        chosen = self.order[:count]
        moved[chosen] += self.steps[chosen] / 255
        return rounded(moved.view_as(self.image))

    def enough(self, gain: float) -> int:
        """How many moves gain so much, if the margin is as linear as its gradient says."""
        return min(max(FEWEST, int((self.gains < gain).sum()) + 1), len(self.order))

    def most(self, clean: Tensor, budget: Budget) -> int:
        """How many moves the budget allows; after fewer, the image may be beyond it, for some moves lead back."""
        low, high = 0, len(self.order)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if budget.allows(clean, self(middle)) else (low, middle - 1)
        return low


def _fewest(moves: _Moves, succeeds: Callable[[Tensor], bool], first: int, most: int) -> Tensor:
    """The image after about the fewest moves that succeed, looked for from ``first`` on; after ``most`` if none do."""
    count, failed = first, 0
    while not succeeds(moves(count)):
        if count == most:
            return moves(most)
        failed, count = count, min(2 * count, most)
    while count - failed > max(1, count // SHARPNESS):
        middle = (failed + count) // 2
        failed, count = (failed, middle) if succeeds(moves(middle)) else (middle, count)
    return moves(count)
