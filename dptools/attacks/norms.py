"""Norms of perturbations, and a limit on them."""

import math
from dataclasses import dataclass

from foolbox import distances
from foolbox.distances import LpDistance
from torch import Tensor

# Foolbox's distances by the names of the norms.
DISTANCES = {"l0": distances.l0, "l1": distances.l1, "l2": distances.l2, "linf": distances.linf}


@dataclass(frozen=True)
class Budget:
    """The largest allowed perturbation.

    Attributes:
        norm: ``l0``, ``l1``, ``l2`` or ``linf``; None for no limit.
        epsilon: Largest distance from the clean image on the [0, 1] scale; None for no limit.
    """

    norm: str | None = None
    epsilon: float | None = None

    def allows(self, clean: Tensor, image: Tensor) -> bool:
        """Return whether an image, 1 x 3 x H x W, is within epsilon of the clean one, up to rounding errors."""
        if self.norm is None or self.epsilon is None:
            return True
        distance: LpDistance = DISTANCES[self.norm]
        return float(distance(clean, image)) <= self.largest

    @property
    def largest(self) -> float:
        """Epsilon with a tolerance for rounding errors; infinite without a limit."""
        return math.inf if self.epsilon is None else self.epsilon * (1 + 1e-6) + 1e-6


def perturbation_norms(perturbation: Tensor) -> dict[str, float]:
    """Return the norms of the difference of two 8-bit images.

    Returns:
        ``l2`` and ``linf`` on the [0, 1] scale, and ``l2_255`` and ``linf_255`` in 8-bit steps. ``l0`` is the fraction
        of changed values, and ``l0_count`` is their number.
    """
    steps = (perturbation.cpu().double() * 255).round()
    changed, length, largest = int(steps.count_nonzero()), float(steps.norm()), int(steps.abs().max())
    return {
        "l0": changed / steps.numel(),
        "l0_count": changed,
        "l2": length / 255,
        "l2_255": length,
        "linf": largest / 255,
        "linf_255": largest,
    }
