"""An attacker who knows the defence: gradients straight through it, averaged over its randomness."""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn

from dptools.attacks.query_counter import in_blocks

Defence = Callable[[Tensor, int], Tensor]
"""Image 1 x 3 x H x W in [0, 1] and seed to the restored image."""


class DefendedModel(nn.Module):
    """A classifier behind a defence that cannot be differentiated.

    The gradient takes the defence for the identity (BPDA, arXiv 1802.00420) and is the mean over several of its seeds
    (EOT, arXiv 1707.07397). Every restoration has a fresh seed, so an attack cannot fit itself to a few.
    """

    block = 1  # no copies to fill a block: each image costs several restorations
    random = True

    def __init__(self, classifier: nn.Module, defence: Defence, *, draws: int, seed: int) -> None:
        """
        Args:
            draws: how many seeds to average over.
            seed: from which those seeds follow.
        """
        super().__init__()
        self.classifier, self.defence, self.draws = classifier, defence, draws
        self.seeds = (seed + number for number in count())
        self.train(classifier.training)

    def forward(self, images: Tensor) -> Tensor:
        """Mean scores, B x classes."""
        return torch.cat([self._mean_scores(image) for image in images[:, None]])

    def _mean_scores(self, image: Tensor) -> Tensor:
        restored = [self.defence(image.detach(), next(self.seeds)) for _ in range(self.draws)]
        behind = torch.cat([image + (output - image).detach() for output in restored])
        return in_blocks(self.classifier, behind).mean(dim=0, keepdim=True)
