"""What an attacker knows besides the classifier: the defence that stands before it."""

import logging
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from dptools.errors import UsageError, check_name
from dptools.pipe.record import Record
from dptools.purifiers.dip.presets import PRESETS

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DefenceOptions:
    """The attacker's knowledge.

    Attributes:
        through: ``denoise`` or ``denoise:PRESET``: what restores an image before it is classified; None for nothing.
        draws: how many of its seeds a gradient is averaged over; None for one.
    """

    through: str | None = None
    draws: int | None = None

    def __post_init__(self) -> None:
        if self.through is None and self.draws is not None:
            raise UsageError("--eot is for --through: without a defence nothing is drawn")
        if self.through is not None:
            tool, _, _ = self.through.partition(":")
            if tool != "denoise":
                raise UsageError(f"--through {self.through}: choose denoise or denoise:PRESET")
            check_name("preset", self.preset, PRESETS)

    @property
    def preset(self) -> str:
        """The restoration's."""
        return (self.through or "").partition(":")[2] or "default"

    @property
    def facts(self) -> Record:
        """For the record."""
        return {"through": f"denoise:{self.preset}", "eot": self.draws or 1} if self.through else {}

    def victim(self, classifier: "nn.Module", seed: int, name: str) -> "nn.Module":
        """What is attacked: the classifier, or all that stands before it too.

        Args:
            seed: of the restorations.
            name: the image's, for the log, to which each restoration is told: they take long.
        """
        if self.through is None:
            return classifier
        from dptools.attacks import DefendedModel
        from dptools.purifiers.dip import restore

        number = count(1)

        def defence(image: "Tensor", seed: int) -> "Tensor":
            logger.info("%s: restoration %d", name, next(number))
            return restore(image, self.preset, seed=seed).image

        return DefendedModel(classifier, defence, draws=self.draws or 1, seed=seed)
