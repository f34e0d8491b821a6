"""The predictions of a random defence for one image."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Judgement:
    """Predictions of a defended classifier in several fresh draws.

    Attributes:
        logits: draws x classes.
    """

    logits: Tensor

    @property
    def draws(self) -> int:
        """Return the number of draws."""
        return len(self.logits)

    @property
    def mean(self) -> Tensor:
        """Return the mean logits, shape (classes,)."""
        return self.logits.mean(dim=0)

    @property
    def majority(self) -> int:
        """Return the class that most draws predict; of several, the one with the largest mean logit."""
        winners = self._votes == self._votes.max()
        return int(self.mean.masked_fill(~winners, -torch.inf).argmax())

    @property
    def ranking(self) -> Tensor:
        """Return a value for each class, shape (classes,), by which they rank: votes, then mean logit."""
        probabilities = self.mean.float().softmax(dim=0)
        if self.draws == 1:
            return probabilities
        return self._votes.to(probabilities) + probabilities / 2

    @property
    def _votes(self) -> Tensor:
        """The number of draws that predict each class, shape (classes,)."""
        return torch.bincount(self.logits.argmax(dim=1), minlength=self.logits.shape[1])

    def share(self, label: int) -> float:
        """Return the fraction of the draws that predict a class."""
        return float((self.logits.argmax(dim=1) == label).cpu().double().mean())

    def is_success(self, label: int, target: int | None) -> bool:
        """Return whether most draws predict the target, or, without a target, another class than the label."""
        return self.majority != label if target is None else self.majority == target
