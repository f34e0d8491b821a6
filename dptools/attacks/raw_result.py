"""What an attack gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class RawResult:
    """Images that may be adversarial, before they are rounded to 8 bits.

    Attributes:
        images: B x 3 x H x W in [0, 1].
        facts: what else there is to tell of each: ``strength`` of a perturbation that was grown, ``deformation`` in
            pixels.
    """

    images: Tensor
    facts: Sequence[dict[str, float]] = field(default=())

    def of(self, row: int) -> tuple[Tensor, dict[str, float]]:
        """One image, 1 x 3 x H x W, and its facts."""
        return self.images[row : row + 1], self.facts[row] if self.facts else {}
