"""Randomised smoothing: certify and predict by the vote of many noisy images."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import count
from typing import Generic, TypeVar

import torch
from torch import Tensor

from dptools.certify.bounds import alpha_of_look, clopper_pearson_lower, is_clear, is_futile, looks, radius
from dptools.certify.certificate import Certificate, Vote
from dptools.certify.noisy import OTHER_STREAM
from dptools.certify.smoothing import MAX_SIGMA, choosing_draws
from dptools.classifiers.classifier import check_finite
from dptools.purifiers.purifier import check_images

Label = TypeVar("Label", bound=Hashable)

CHECK_EVERY = 32
"""Draws between two checks whether a certificate is out of reach."""

BATCH = {"cpu": 1, "cuda": 256}
"""Noisy images that are classified at once, by device type. On a CPU, more are not faster.

The number is fixed, because the last bits of logits can depend on it.
"""


class Smoothed(Generic[Label]):
    """A smoothed classifier: it predicts the class that the base classifier most often predicts under Gaussian noise.

    The base classifier is the classifier behind the purifier (denoised smoothing, arXiv 2003.01908). It may be any
    function of the noisy image. If it is random itself, its draws must be independent.

    Attributes:
        sigma: Standard deviation of the noise, on the [0, 1] scale.
    """

    def __init__(
        self,
        classifier: Callable[[Tensor], Tensor],
        purifier: Callable[..., Tensor] | None = None,
        *,
        sigma: float,
        labels: Callable[[Tensor], Sequence[Label]] | None = None,
    ) -> None:
        """Combine a classifier, a purifier and noise.

        Args:
            classifier: Maps images, B x 3 x H x W, to logits, B x classes.
            purifier: Maps noisy images, which are not clipped to [0, 1], to images; None for none. If it has an
                attribute ``random`` that is true, it also gets the argument ``seeds``, new ones for each image.
            sigma: Standard deviation of the noise, on the [0, 1] scale.
            labels: Maps purified images to one class each, instead of ``classifier``; for services.

        Raises:
            ValueError: sigma is not above 0 and at most :data:`dptools.certify.smoothing.MAX_SIGMA`.
        """
        if not 0 < sigma <= MAX_SIGMA:
            hint = f"; for {sigma:g} on the 8-bit scale, give {sigma:g} / 255" if MAX_SIGMA < sigma <= 255 else ""
            raise ValueError(f"sigma: expected a standard deviation on the [0, 1] scale, got {sigma}{hint}")
        self.classifier, self.purifier, self.sigma, self._labels = classifier, purifier, sigma, labels

    @torch.no_grad()
    def certify(
        self,
        image: Tensor,
        *,
        draws: int = 1000,
        alpha: float = 0.001,
        n0: int | None = None,
        until: float | None = None,
        seed: int = 0,
    ) -> Certificate[Label]:
        """Return a certified prediction (CERTIFY of arXiv 1902.02918).

        It ends early if a certificate is out of reach. With ``until``, it also ends once that radius is certified; part
        of alpha is spent on the earlier looks, so the full number of draws then gives a slightly smaller radius.

        Args:
            image: 3 x H x W or 1 x 3 x H x W, floating point, in [0, 1].
            draws: Largest number of noisy images that are counted.
            alpha: Probability that the certificate is wrong.
            n0: Number of further noisy images that choose the class; None for 100, or a tenth of the draws if that is
                less, but at least one.
            until: The radius that suffices; None to use all draws.
            seed: Seed of the noise.

        Raises:
            ValueError: An argument has a wrong shape or value.
        """
        image = _checked(image, draws, alpha)
        if n0 is not None and n0 < 1:
            raise ValueError(f"n0: expected 1 or more, got {n0}")
        chosen_by = choosing_draws(draws) if n0 is None else n0
        votes = self._votes(image, seed)
        selection = Counter(next(votes) for _ in range(chosen_by))
        label = min(selection, key=lambda name: (-selection[name], str(name)))
        counts, ends, bound = Counter[Label](), looks(draws, until is not None), 0.0
        for number, end in enumerate(ends):
            while (done := counts.total()) < end and not (done % CHECK_EVERY == 0 and is_futile(counts[label], done)):
                counts[next(votes)] += 1
            if done < end:
                break
            bound = clopper_pearson_lower(counts[label], done, alpha_of_look(number, len(ends), alpha))
            if until is not None and bound > 0.5 and radius(bound, self.sigma) >= until:
                break
        is_certified = bound > 0.5
        return Certificate(
            label if is_certified else None,
            radius(bound, self.sigma),
            bound,
            counts[label],
            counts.total(),
            chosen_by,
            selection + counts,
            self.sigma,
            alpha,
        )

    @torch.no_grad()
    def predict(self, image: Tensor, *, draws: int = 1000, alpha: float = 0.001, seed: int = 0) -> Vote[Label]:
        """Return a prediction by vote, or abstain if the lead is not significant (PREDICT of arXiv 1902.02918).

        The arguments are those of :meth:`certify`.
        """
        votes = self._votes(_checked(image, draws, alpha), seed)
        counts = Counter(next(votes) for _ in range(draws))
        ranked = sorted(counts, key=lambda name: (-counts[name], str(name)))
        second = counts[ranked[1]] if len(ranked) > 1 else 0
        label = ranked[0] if is_clear([counts[ranked[0]], second], alpha) else None
        return Vote(label, counts, draws, self.sigma, alpha)

    def _votes(self, image: Tensor, seed: int) -> Iterator[Label]:
        """Yield the class of one noisy image after another, without end.

        Raises:
            SampleError: A score is not finite, so no class can be named.
        """
        generator = torch.Generator(image.device if image.is_cuda else "cpu").manual_seed(seed)
        seeds = count(seed ^ OTHER_STREAM)
        size = BATCH.get(image.device.type, 1)
        while True:
            noise = torch.randn((size, *image.shape[1:]), generator=generator, device=generator.device)
            noisy = torch.add(image, noise.to(image), alpha=self.sigma)
            purified = self._purify(noisy, seeds)
            if self._labels is not None:
                yield from self._labels(purified)
            else:
                name = getattr(self.classifier, "name", "the classifier")
                yield from check_finite(self.classifier(purified), name).argmax(dim=1).tolist()

    def _purify(self, noisy: Tensor, seeds: Iterator[int]) -> Tensor:
        if self.purifier is None:
            return noisy
        if getattr(self.purifier, "random", False):
            return self.purifier(noisy, seeds=[next(seeds) for _ in noisy])
        return self.purifier(noisy)


def _checked(image: Tensor, draws: int, alpha: float) -> Tensor:
    """Return the image as 1 x 3 x H x W.

    Raises:
        TypeError: The image is not a tensor.
        ValueError: It has another shape or scale, or a number is out of range.
    """
    image = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
    check_images(image)
    if len(image) != 1:
        raise ValueError(f"image: expected one image, 3 x H x W, got {tuple(image.shape)}")
    if draws < 1:
        raise ValueError(f"draws: expected 1 or more, got {draws}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: expected a probability between 0 and 1, got {alpha}")
    return image
