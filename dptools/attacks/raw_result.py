"""The output of an attack before it is rounded to 8 bits."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class RawResult:
    """Images that may be adversarial, before they are rounded to 8 bits.

    Attributes:
        images: B x 3 x H x W in [0, 1].
        measurements: B dictionaries with ``strength`` of the perturbation (``strength_search``), ``deformation`` in
            pixels (ADef) or the name of the ``component`` that made the image (AutoAttack); empty for other attacks.
    """

    images: Tensor
    measurements: Sequence[dict[str, float] | dict[str, str]] = ()

    def row(self, index: int) -> tuple[Tensor, dict[str, float] | dict[str, str]]:
        """Return one image, 1 x 3 x H x W, and its measurements."""
        return self.images[index : index + 1], self.measurements[index] if self.measurements else {}
