"""A classifier behind a purifier, as seen by an attacker who knows both."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dptools.attacks.lattice import round_to_8bit
from dptools.attacks.query_counter import query_in_batches

DRAWS_AT_ONCE = {"cpu": 1, "cuda": 16}
"""Number of purifications that are computed at once, by device type. On a CPU, more are not faster."""

KEPT_GRAPHS = 10
"""Groups of draws whose graphs are kept in memory until the backward pass. Other draws are computed again for it.

A graph of the denoiser and the bundled classifier takes 80 MB for one pass and 180 MB for three.
"""


class SeededPurifier(Protocol):
    """A purifier whose random draws follow from seeds, such as :class:`dptools.purifiers.Purifier`."""

    def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
        """Return purified images, B x 3 x H x W in [0, 1], given B images and B seeds."""


class DefendedModel(nn.Module):
    """A classifier behind a purifier, with a gradient.

    Logits and gradients are means over several draws of the purifier (expectation over transformation, arXiv
    1707.07397). Every purification has a new seed, so an attack cannot overfit to a few seeds. The gradient is one of:

    - ``exact``: the gradient of the purifier, given its random numbers.
    - ``bpda``: the purifier counts as the identity in the backward pass (arXiv 1802.00420).
    - ``surrogate``: the backward pass uses another purifier, which is differentiable, at the same image.

    >>> model = DefendedModel(classifier, dptools.purifiers.load("denoiser"), eot_samples=20, seed=0)
    >>> results = perturb("pgd", model, images, labels)

    Attributes:
        restorations: Number of purified images so far, including those of backward passes.
    """

    query_batch_size = 1  # A larger batch would be padded with copies, and each copy would be purified several times.

    def __init__(
        self,
        classifier: nn.Module,
        purifier: SeededPurifier,
        *,
        eot_samples: int = 1,
        seed: int,
        gradient: str | None = None,
        surrogate: SeededPurifier | None = None,
        judges: int = 10,
        fixed_draw: bool = False,
        judges_8bit: bool = False,
    ) -> None:
        """Combine a classifier and a purifier.

        Args:
            classifier: Maps images in [0, 1] to logits.
            purifier: Maps images and seeds to purified images. An attribute ``differentiable`` that is true states
                that it has a gradient. An attribute ``random`` that is false states that all draws are equal.
            eot_samples: Number of draws that are averaged. One is used if all draws are equal.
            seed: Seed of the first purification; the following ones count up from it.
            gradient: Kind of gradient; None for ``exact`` if the purifier is differentiable, otherwise ``surrogate``
                if there is one, otherwise ``bpda``.
            surrogate: A differentiable purifier for the backward pass.
            judges: Number of draws that judge an image.
            fixed_draw: Whether every purification has the first seed. The attacker then knows all random numbers.
            judges_8bit: Whether the purified images that judge are rounded to 8 bits, as in files.

        Raises:
            ValueError: The purifier has no such gradient, or there is no surrogate.
        """
        super().__init__()
        differentiable = getattr(purifier, "differentiable", False)
        self.gradient = gradient or ("exact" if differentiable else "surrogate" if surrogate else "bpda")
        if self.gradient == "exact" and not differentiable:
            raise ValueError("this purifier has no exact gradient: use bpda or surrogate")
        if self.gradient == "surrogate" and surrogate is None:
            raise ValueError("gradient surrogate needs a surrogate purifier")
        self.classifier, self.purifier, self.surrogate = classifier, purifier, surrogate
        self.stochastic = getattr(purifier, "random", True) and not fixed_draw
        self.eot_samples, self.judges = (eot_samples, judges) if self.stochastic else (1, 1)
        self.judges_8bit, self.restorations = judges_8bit, 0
        self._seed, self._seeds = seed, count(seed)
        self.training = classifier.training  # set directly: train() would also change the classifier's submodules

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean logits, B x classes."""
        return torch.cat([self._mean_logits(image) for image in images[:, None]])

    def judge(self, image: Tensor) -> Tensor:
        """Return the logits of fresh purifications of an image, ``judges`` x classes.

        Args:
            image: 1 x 3 x H x W.
        """
        return torch.cat(list(self._verdicts(image)))

    def confirms(self, image: Tensor, is_adversarial: Callable[[Tensor], bool]) -> bool:
        """Return whether an image is adversarial in all of ``judges`` fresh purifications. Stops at the first failure.

        Args:
            image: 1 x 3 x H x W.
            is_adversarial: Returns whether logits, 1 x classes, mean a success.
        """
        return all(is_adversarial(scores) for scores in self._verdicts(image))

    def logits(self, image: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return the logits of an image, 1 x 3 x H x W, for each of the seeds: seeds x classes."""
        images = image.expand(len(seeds), -1, -1, -1)
        return query_in_batches(self.classifier, self._purify(images, seeds))

    def _verdicts(self, image: Tensor) -> Iterator[Tensor]:
        for _ in range(self.judges):
            with torch.no_grad():
                purified = self._purify(image, self._next_seeds(1))
                yield query_in_batches(self.classifier, round_to_8bit(purified) if self.judges_8bit else purified)

    def _mean_logits(self, image: Tensor) -> Tensor:
        seeds = self._next_seeds(self.eot_samples)
        if torch.is_grad_enabled() and image.requires_grad:
            mean: Tensor = _MeanLogits.apply(image, self, seeds)
            return mean
        groups = self.groups(seeds, image.device)
        return torch.cat([self.logits(image, group) for group in groups]).mean(dim=0, keepdim=True)

    def groups(self, seeds: Sequence[int], device: torch.device) -> list[Sequence[int]]:
        """Return the seeds in groups that are computed at once."""
        size = DRAWS_AT_ONCE.get(device.type, 1)
        return [seeds[start : start + size] for start in range(0, len(seeds), size)]

    def _purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        self.restorations += len(seeds)
        if self.gradient == "exact" or not (torch.is_grad_enabled() and images.requires_grad):
            return self.purifier(images, seeds=seeds)
        with torch.no_grad():
            purified = self.purifier(images.detach(), seeds=seeds)
        path = images if self.surrogate is None or self.gradient == "bpda" else self.surrogate(images, seeds=seeds)
        return path + (purified - path).detach()

    def _next_seeds(self, number: int) -> list[int]:
        return [next(self._seeds) if self.stochastic else self._seed for _ in range(number)]


class TransferSource(nn.Module):
    """A classifier, with or without a defence, from which images are transferred to another classifier.

    ``pgd``, the attacks named ``apgd`` and ``autoattack`` do not end when this model is fooled: further steps make the
    images more adversarial for the other one.
    """

    ends_early = False

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.stochastic = getattr(model, "stochastic", False)
        self.query_batch_size = 1
        self.training = model.training

    @property
    def restorations(self) -> int:
        """The number of purified images so far."""
        return int(getattr(self.model, "restorations", 0))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, B x classes."""
        logits: Tensor = self.model(images)
        return logits


class _MeanLogits(torch.autograd.Function):
    """The mean logits of one image over several draws, with bounded memory.

    The graphs of the first KEPT_GRAPHS groups of draws are kept. The other groups are computed twice, with the same
    seeds: without a graph in the forward pass, and with a graph in the backward pass, one group after the other.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, model: DefendedModel, seeds: Sequence[int]) -> Tensor:
        ctx.image, ctx.model, ctx.seeds = image.detach(), model, model.groups(seeds, image.device)
        ctx.kept, scores = [], []
        for number, group in enumerate(ctx.seeds):
            if number < KEPT_GRAPHS:
                ctx.kept.append(_graph(ctx.image, model, group))
                scores.append(ctx.kept[-1][1].detach())
            else:
                scores.append(model.logits(ctx.image, group))
        return torch.cat(scores).mean(dim=0, keepdim=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        draws, total = sum(map(len, ctx.seeds)), torch.zeros_like(ctx.image)
        for number, group in enumerate(ctx.seeds):
            leaf, scores = ctx.kept[number] if number < len(ctx.kept) else _graph(ctx.image, ctx.model, group)
            # Some attacks compute several gradients of the same logits.
            (own,) = torch.autograd.grad(scores, leaf, gradient.expand_as(scores) / draws, retain_graph=True)
            total += own
        return total, None, None


def _graph(image: Tensor, model: DefendedModel, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the image as a leaf tensor, and its logits with their graph."""
    leaf = image.clone().requires_grad_()
    with torch.enable_grad():
        return leaf, model.logits(leaf, seeds)
