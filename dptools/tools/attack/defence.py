"""The defence that the attacker knows: a purifier in front of the classifier."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from dptools.errors import UsageError
from dptools.pipe.record import Record
from dptools.purifiers import parse_method

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from dptools.purifiers import Method, Purifier

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DefenceOptions:
    """The options ``--through`` and ``--eot``.

    Attributes:
        through: Purification method, such as ``denoiser`` or ``jpeg:50``; None for no defence.
        eot_samples: Number of purifications that each gradient averages; None for one.
    """

    through: str | None = None
    eot_samples: int | None = None

    def __post_init__(self) -> None:
        if self.through is None and self.eot_samples is not None:
            raise UsageError("--eot needs --through: it averages over the random draws of a purification method")
        if self.through is not None:
            try:
                parse_method(self.through)
            except UsageError as error:
                raise UsageError(f"--through: {error}") from None

    @property
    def method(self) -> "Method | None":
        """The purification method; None for no defence."""
        return None if self.through is None else parse_method(self.through)

    @property
    def facts(self) -> Record:
        """The fields that are added to the ``attack`` object of the record."""
        return {} if self.method is None else {"through": str(self.method), "eot": self.eot_samples or 1}

    def load(self, device: "torch.device") -> "Defence | None":
        """Return the defence with its purifier on the device; None for no defence."""
        from dptools.purifiers import load

        return None if self.method is None else Defence(self, load(self.method, device=device))


@dataclass(frozen=True)
class Defence:
    """A defence with its purifier loaded."""

    options: DefenceOptions
    purifier: "Purifier"

    def model(self, classifier: "nn.Module", *, seed: int, image_id: str) -> "nn.Module":
        """Return the classifier behind the purifier.

        Args:
            classifier: Maps images in [0, 1] to logits.
            seed: Seed of the first purification.
            image_id: The id of the image for the log. Every purification is logged, because it is slow.
        """
        from dptools.attacks import DefendedModel

        numbers = count(1)

        def purify(images: "Tensor", *, seeds: Sequence[int]) -> "Tensor":
            logger.info("%s: purification %d", image_id, next(numbers))
            purified: Tensor = self.purifier(images, seeds=seeds)
            return purified

        return DefendedModel(classifier, purify, eot_samples=self.options.eot_samples or 1, seed=seed)
