"""Attacks that increase the strength of a perturbation until the image is misclassified: gradient sign and noise.

Source: Deep Protection paper, section 2.2. Random numbers are drawn once per image; only the strength changes. The
classifier judges the 8-bit image of every strength.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from foolbox.attacks import LinfFastGradientAttack
from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.defence_queries import reliable_margins
from dptools.attacks.lattice import round_to_8bit
from dptools.attacks.level_search import smallest_success
from dptools.attacks.norms import Budget
from dptools.attacks.query_counter import query_batch_size
from dptools.attacks.raw_result import RawResult

# A function from a strength to an image, 1 x 3 x H x W.
AtStrength = Callable[[float], Tensor]


def gradient_sign(batch: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float) -> RawResult:
    """Add the sign of the loss gradient (arXiv 1412.6572). The strength is the change of each value.

    Args:
        batch: Images to attack.
        epsilon: Largest Linf norm; None for no limit.
        steps: Number of strengths.
        ceiling: Largest strength.
    """
    attack = LinfFastGradientAttack(random_start=False)
    moved: Tensor = attack.run(batch.model, batch.images, batch.criterion, epsilon=1.0)
    signs = (moved - batch.images).sign()

    def perturbation(row: int) -> AtStrength:
        image, sign = batch.images[row : row + 1], signs[row : row + 1]
        return lambda strength: (image + strength * sign).clamp(0, 1)

    return _StrengthSearch(steps, ceiling, Budget("linf", epsilon))(batch, perturbation)


def gaussian_noise(batch: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float) -> RawResult:
    """Add Gaussian noise. The strength is its standard deviation.

    The arguments are those of :func:`gradient_sign`, except that ``epsilon`` limits the L2 norm.
    """

    def perturbation(row: int) -> AtStrength:
        image = batch.images[row : row + 1]
        noise = torch.randn(image.shape, generator=batch.generator(row)).to(image)
        return lambda strength: (image + strength * noise).clamp(0, 1)

    return _StrengthSearch(steps, ceiling, Budget("l2", epsilon))(batch, perturbation)


def blended_noise(
    batch: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float, directions: int
) -> RawResult:
    """Blend the image with uniform noise. The strength is the weight of the noise.

    Args:
        batch: Images to attack.
        epsilon: Largest L2 norm; None for no limit.
        steps: Number of strengths.
        ceiling: Largest strength.
        directions: Largest number of noise images to draw. The first one that is adversarial by itself is used.
    """

    def perturbation(row: int) -> AtStrength:
        image, noise = batch.images[row : row + 1], _adversarial_noise(batch, row, directions)
        return lambda strength: (1 - strength) * image + strength * noise

    return _StrengthSearch(steps, ceiling, Budget("l2", epsilon))(batch, perturbation)


def salt_and_pepper(batch: AttackBatch, *, epsilon: float | None, steps: int, ceiling: float) -> RawResult:
    """Turn random pixels black or white, in equal shares. The strength is the fraction of pixels.

    The arguments are those of :func:`gradient_sign`, except that ``epsilon`` limits the L2 norm.
    """

    def perturbation(row: int) -> AtStrength:
        image = batch.images[row : row + 1]
        draw = torch.rand((1, 1, *image.shape[2:]), generator=batch.generator(row)).to(image)
        white, black = torch.ones_like(image), torch.zeros_like(image)
        return lambda share: torch.where(draw < share / 2, black, torch.where(draw >= 1 - share / 2, white, image))

    return _StrengthSearch(steps, ceiling, Budget("l2", epsilon))(batch, perturbation)


def _adversarial_noise(batch: AttackBatch, row: int, directions: int) -> Tensor:
    image, generator = batch.images[row : row + 1], batch.generator(row)
    for _ in range(directions):
        noise = torch.rand(image.shape, generator=generator).to(image)
        if reliable_margins(batch, row, noise)[0] > 0:
            break
    return noise


@dataclass(frozen=True)
class _StrengthSearch:
    """Search over the strengths ``ceiling * level / steps``, level = 1, ..., ``steps``, within a budget."""

    steps: int
    ceiling: float
    budget: Budget

    def __call__(self, batch: AttackBatch, perturbation: Callable[[int], AtStrength]) -> RawResult:
        """Return each image at the smallest strength that succeeds; if none does, at the largest within the budget."""
        results = [self._search(batch, row, perturbation(row)) for row in range(batch.num_images)]
        return RawResult(torch.cat([image for image, _ in results]), [{"strength": value} for _, value in results])

    def _search(self, batch: AttackBatch, row: int, at_strength: AtStrength) -> tuple[Tensor, float]:
        clean = batch.images[row : row + 1]

        def image(level: int) -> Tensor:
            return round_to_8bit(at_strength(self.ceiling * level / self.steps))

        def margins(levels: Sequence[int]) -> Sequence[float]:
            candidates = torch.cat([image(level) for level in levels])
            return reliable_margins(batch, row, candidates)

        def exceeds_budget(level: int) -> bool:
            return not self.budget.allows(clean, image(level))

        limited = self.budget.epsilon is not None
        max_level = bisect_right(range(1, self.steps + 1), False, key=exceeds_budget) if limited else self.steps
        width = query_batch_size(batch.classifier, clean.device)
        level = smallest_success(margins, max_level, width) or max_level
        return image(level), self.ceiling * level / self.steps
