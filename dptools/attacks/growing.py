"""Attacks that grow a perturbation until the image is misclassified: gradient sign and the noises.

Deep Protection paper, section 2.2. What is random is drawn once for an image; only the strength grows, and each is
judged by the 8-bit image that it gives.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from foolbox.attacks import LinfFastGradientAttack
from foolbox.distances import l2, linf
from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import Budget, rounded
from dptools.attacks.query_counter import block_size
from dptools.attacks.raw_result import RawResult
from dptools.attacks.search import weakest

Perturbed = Callable[[float], Tensor]
"""Strength to image, 1 x 3 x H x W."""


def gradient_sign(problem: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float) -> RawResult:
    """The sign of the loss's gradient (arXiv 1412.6572), the strength being what a value changes by."""
    attack = LinfFastGradientAttack(random_start=False)
    moved: Tensor = attack.run(problem.model, problem.images, problem.criterion, epsilon=1.0)
    signs = (moved - problem.images).sign()

    def perturb(row: int) -> Perturbed:
        image, sign = problem.images[row : row + 1], signs[row : row + 1]
        return lambda strength: (image + strength * sign).clamp(0, 1)

    return _Growth(steps, ceiling, Budget(linf, epsilon))(problem, perturb)


def gaussian_noise(problem: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float) -> RawResult:
    """Additive Gaussian noise, the strength being its standard deviation."""

    def perturb(row: int) -> Perturbed:
        image = problem.images[row : row + 1]
        noise = torch.randn(image.shape, generator=problem.generator(row)).to(image.device)
        return lambda strength: (image + strength * noise).clamp(0, 1)

    return _Growth(steps, ceiling, Budget(l2, epsilon))(problem, perturb)


def blended_noise(
    problem: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float, directions: int
) -> RawResult:
    """A blend with an image of uniform noise, the strength being the noise's share.

    Args:
        directions: the most images of noise that are drawn until one is not itself taken for the label.
    """

    def perturb(row: int) -> Perturbed:
        image, noise = problem.images[row : row + 1], _other_noise(problem, row, directions)
        return lambda strength: (1 - strength) * image + strength * noise

    return _Growth(steps, ceiling, Budget(l2, epsilon))(problem, perturb)


def salt_and_pepper(problem: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float) -> RawResult:
    """Pixels turned white or black, as many of each, the strength being their share."""

    def perturb(row: int) -> Perturbed:
        image = problem.images[row : row + 1]
        draw = torch.rand((1, 1, *image.shape[2:]), generator=problem.generator(row)).to(image.device)
        white, black = torch.ones_like(image), torch.zeros_like(image)
        return lambda share: torch.where(draw < share / 2, black, torch.where(draw >= 1 - share / 2, white, image))

    return _Growth(steps, ceiling, Budget(l2, epsilon))(problem, perturb)


def _other_noise(problem: AttackBatch, row: int, directions: int) -> Tensor:
    image, generator = problem.images[row : row + 1], problem.generator(row)
    for _ in range(directions):
        noise = torch.rand(image.shape, generator=generator).to(image.device)
        if problem.margins(row, noise) > 0:
            break
    return noise


@dataclass(frozen=True)
class _Growth:
    """The strengths to try, ``ceiling * level / steps`` for the levels 1 to ``steps``, and the most that is allowed."""

    steps: int
    ceiling: float
    budget: Budget

    def __call__(self, problem: AttackBatch, perturb: Callable[[int], Perturbed]) -> RawResult:
        """Each image at its smallest strength that succeeds, or else at the largest that is allowed."""
        found = [self._grow(problem, row, perturb(row)) for row in range(problem.wanted)]
        return RawResult(torch.cat([image for image, _ in found]), [{"strength": strength} for _, strength in found])

    def _grow(self, problem: AttackBatch, row: int, perturbed: Perturbed) -> tuple[Tensor, float]:
        clean = problem.images[row : row + 1]

        def image(level: int) -> Tensor:
            return perturbed(self.ceiling * level / self.steps)

        def margins(levels: Sequence[int]) -> Sequence[float]:
            candidates = torch.cat([rounded(image(level)) for level in levels])
            return [float(margin) for margin in problem.margins(row, candidates)]

        def too_far(level: int) -> bool:
            return not self.budget.allows(clean, rounded(image(level)))

        limited = self.budget.epsilon is not None
        most = bisect_right(range(1, self.steps + 1), False, key=too_far) if limited else self.steps
        level = weakest(margins, most, width=block_size(problem.classifier, clean.device)) or most
        return rounded(image(level)), self.ceiling * level / self.steps
