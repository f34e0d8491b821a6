"""Gradients for purifiers that have none: BPDA."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dptools.purifiers.purifier import Purifier


class StraightThrough(Purifier):
    """A purifier that counts as the identity in the backward pass (BPDA, arXiv 1802.00420).

    It lets the gradient attacks of Foolbox, ART or torchattacks run on a model behind a filter or a deep image prior.
    An attack fails without it, and an attack without gradients through the purifier overstates robustness.
    ``dptools.attacks.DefendedModel`` does the same by itself, so pass it the purifier without this wrapper.

    >>> model = torch.nn.Sequential(StraightThrough(load("jpeg:50")), classifier)
    """

    differentiable = True

    def __init__(self, purifier: Purifier) -> None:
        """Wrap a purifier.

        Args:
            purifier: any purifier. The gradient of one that is differentiable is replaced, too.
        """
        super().__init__()
        self.purifier = purifier
        self.random = purifier.random

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        with torch.no_grad():
            purified: Tensor = self.purifier(images.detach(), seeds=seeds)
        return purified + (images - images.detach())  # adds 0, so that the gradient passes
