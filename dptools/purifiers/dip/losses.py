"""What the fit minimises: a weighted mean over the values of the residual. Each is a small value with its source."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss


class MSE(nn.Module):
    """Mean squared error, as in the deep image prior (arXiv 1711.10925) and the Deep Protection paper."""

    def forward(self, residual: Tensor, weight: Tensor) -> Tensor:
        """The loss of a residual, whose weights, of the same shape or one that spreads to it, sum to 1."""
        return (weight * residual.square()).sum()


class Huber(nn.Module):
    """Squares below ``delta``, absolute values above (Huber, 1964): outliers pull, but not ever harder."""

    def __init__(self, delta: float = 0.05) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, residual: Tensor, weight: Tensor) -> Tensor:
        """As :meth:`MSE.forward`."""
        return (weight * huber_loss(residual, torch.zeros_like(residual), reduction="none", delta=self.delta)).sum()


class StudentT(nn.Module):
    """Negative log likelihood of Student's t, whose scale and degrees of freedom are fitted along with the network.

    Near Gaussian noise it finds many degrees of freedom and acts like MSE; with outliers (salt and pepper) it finds
    few, and lets them be. After Lange, Little and Taylor, "Robust Statistical Modeling Using the t Distribution", 1989.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-2.0))
        self.log_freedom = nn.Parameter(torch.tensor(1.0))

    def forward(self, residual: Tensor, weight: Tensor) -> Tensor:
        """As :meth:`MSE.forward`."""
        scale = self.log_scale.clamp(-7, 1)  # 0.001, a quarter of an 8-bit step, keeps it from running to zero
        freedom = self.log_freedom.clamp(-2, 5).exp()
        half = (freedom + 1) / 2
        normaliser = torch.lgamma(half) - torch.lgamma(freedom / 2) - 0.5 * torch.log(freedom * torch.pi)
        spread = torch.log1p((residual / scale.exp()).square() / freedom)
        return half * (weight * spread).sum() + scale - normaliser


LOSSES: dict[str, Callable[[], nn.Module]] = {"mse": MSE, "huber": Huber, "student-t": StudentT}
