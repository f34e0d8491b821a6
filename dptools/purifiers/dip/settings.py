"""Settings of a fit, without torch."""

from dataclasses import dataclass, field

from dptools.errors import check_name
from dptools.purifiers.dip.stopping import Fixed, HeldOut, StoppingCriterion
from dptools.purifiers.precision import PRECISIONS

NETWORKS = ("small", "paper", "decoder")
"""The networks by name; see :mod:`dptools.purifiers.dip.networks`."""

LOSSES = ("mse", "huber", "student-t")
"""The losses by name; see :mod:`dptools.purifiers.dip.losses`."""


@dataclass(frozen=True)
class FitSettings:
    """All that determines a fit, besides the image and the seed.

    Attributes:
        network: one of NETWORKS.
        loss: one of LOSSES.
        stop: the stopping criterion.
        max_iterations: number of iterations after which a fit ends in any case.
        learning_rate: Adam's learning rate for the network.
        loss_learning_rate: Adam's learning rate for the parameters of the loss.
        ema_decay: decay of the exponential moving average of outputs, 0 <= ema_decay < 1; 0 for the plain output. The
            first outputs are averaged with equal weights.
        precision: ``auto``, ``fp32`` or ``bf16``.
        tile: longest side of a tile in pixels. Larger images are fitted tile by tile; 0 for no tiles.

    Raises:
        UsageError: there is no such network, loss or precision.
        TypeError: ``stop`` is not a stopping criterion.
        ValueError: a number is out of range.
    """

    network: str = "small"
    loss: str = "student-t"
    stop: StoppingCriterion = field(default_factory=HeldOut)
    max_iterations: int = 350
    learning_rate: float = 0.01
    loss_learning_rate: float = 0.05
    ema_decay: float = 0.95
    precision: str = "auto"
    tile: int = 512

    def __post_init__(self) -> None:
        check_name("network", self.network, NETWORKS)
        check_name("loss", self.loss, LOSSES)
        check_name("precision", self.precision, PRECISIONS)
        if not callable(getattr(self.stop, "start", None)) or isinstance(self.stop, type):
            raise TypeError(f"stop: expected a stopping criterion such as HeldOut() or Fixed(500), got {self.stop!r}")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations: expected 1 or more, got {self.max_iterations}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate: expected a number above 0, got {self.learning_rate}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay: expected 0 <= ema_decay < 1, got {self.ema_decay}")


DIP = FitSettings()
"""Method ``dip``: a small network, a robust loss, and a stopping criterion that needs no label."""

PAPER = FitSettings(network="paper", loss="mse", stop=Fixed(1750), max_iterations=1750, ema_decay=0.0, precision="fp32")
"""Method ``paper``: the Deep Protection paper, sections 2.1, 3.1 and 4.2; the learning rate is that of the deep image
prior (arXiv 1711.10925)."""

FIT_SETTINGS = {"dip": DIP, "paper": PAPER}
"""The settings of the methods by name."""
