"""Losses of a fit: weighted means over the values of the residual."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss


class MSE(nn.Module):
    """Mean squared error, as in the deep image prior (arXiv 1711.10925) and the Deep Protection paper."""

    def forward(self, residual: Tensor, weight: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            residual: output minus image, 1 x 3 x H x W.
            weight: weight of each value. It broadcasts to the residual's shape and sums to 1 there.
        """
        return (weight * residual.square()).sum()


class Huber(nn.Module):
    """Huber loss (1964): quadratic below ``delta`` and linear above it, so the gradient of an outlier is bounded."""

    def __init__(self, delta: float = 0.05) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, residual: Tensor, weight: Tensor) -> Tensor:
        """Return the loss; see :meth:`MSE.forward`."""
        return (weight * huber_loss(residual, torch.zeros_like(residual), reduction="none", delta=self.delta)).sum()


class StudentT(nn.Module):
    """Negative log likelihood of Student's t distribution, whose scale and degrees of freedom are fitted too.

    Under Gaussian noise, the degrees of freedom grow, and the loss acts like MSE. With outliers, such as impulse noise,
    they fall, and outliers lose their influence (Lange, Little and Taylor, "Robust Statistical Modeling Using the t
    Distribution", 1989).
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-2.0))
        self.log_freedom = nn.Parameter(torch.tensor(1.0))

    def forward(self, residual: Tensor, weight: Tensor) -> Tensor:
        """Return the loss; see :meth:`MSE.forward`."""
        scale = self.log_scale.clamp(-7, 1).exp()  # >= 0.001, a quarter of an 8-bit step, to keep the loss finite
        freedom = self.log_freedom.clamp(-2, 5).exp()
        density = torch.distributions.StudentT(freedom, scale=scale, validate_args=False)
        log_likelihood: Tensor = density.log_prob(residual)  # type: ignore[no-untyped-call]
        return -(weight * log_likelihood).sum()


FACTORIES: dict[str, Callable[[], nn.Module]] = {"mse": MSE, "huber": Huber, "student-t": StudentT}
"""The losses by the names in :data:`dptools.purifiers.dip.settings.LOSSES`."""
