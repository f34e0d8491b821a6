"""What every network of the prior is."""

from typing import ClassVar

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """A generator of images from a code.

    Attributes:
        multiple: image sides must be multiples of this.
        drawn: its weights are random, so two of a kind differ.
    """

    multiple: int
    drawn: ClassVar[bool] = True

    def code(self, guide: Tensor, generator: torch.Generator) -> Tensor:
        """What is put in for an image.

        Args:
            guide: the image, 1 x 3 x H x W in [0, 1]; most networks are told nothing of it but its size.
            generator: draws what is random, on the CPU.
        """
        raise NotImplementedError
