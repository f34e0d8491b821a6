"""A classifier behind a purifier, as seen by an attacker who knows both."""

from collections.abc import Sequence
from itertools import count
from typing import Protocol

import torch
from torch import Tensor, nn

from dptools.attacks.query_counter import query_in_batches


class SeededPurifier(Protocol):
    """A purifier whose random draws follow from seeds, such as :class:`dptools.purifiers.Purifier`."""

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        """Return purified images, B x 3 x H x W in [0, 1], given B images and B seeds."""


class DefendedModel(nn.Module):
    """A classifier behind a purifier, with an approximate gradient.

    The backward pass treats the purifier as the identity (BPDA, arXiv 1802.00420). Logits and gradients are means
    over several seeds of the purifier (expectation over transformation, arXiv 1707.07397). Every purification has a
    new seed, so an attack cannot overfit to a few seeds.

    >>> model = DefendedModel(classifier, dptools.purifiers.load("denoiser"), eot_samples=20, seed=0)
    >>> results = perturb("pgd", model, images, labels)
    """

    query_batch_size = 1  # A larger batch would be padded with copies, and each copy would be purified several times.
    stochastic = True

    def __init__(self, classifier: nn.Module, purifier: SeededPurifier, *, eot_samples: int, seed: int) -> None:
        """Combine a classifier and a purifier.

        Args:
            classifier: Maps images in [0, 1] to logits.
            purifier: Called with one image and one seed at a time, without gradients.
            eot_samples: Number of purifications that are averaged.
            seed: Seed of the first purification; the following ones count up from it.
        """
        super().__init__()
        self.classifier, self.purifier, self.eot_samples = classifier, purifier, eot_samples
        self._seeds = count(seed)
        self.training = classifier.training  # set directly: train() would also change the classifier's submodules

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean logits, B x classes."""
        return torch.cat([self._mean_logits(image) for image in images[:, None]])

    def _mean_logits(self, image: Tensor) -> Tensor:
        with torch.no_grad():
            purified = [self.purifier(image.detach(), seeds=[next(self._seeds)]) for _ in range(self.eot_samples)]
        straight_through = torch.cat([image + (output - image).detach() for output in purified])
        return query_in_batches(self.classifier, straight_through).mean(dim=0, keepdim=True)
