"""Everything that a restoration depends on, under one name."""

from dataclasses import dataclass

from dptools.errors import check_name
from dptools.prior.stopping import Fixed, HeldOut, Rule

PRECISIONS = ("auto", "fp32", "bf16")

NETWORK_NAMES = ("paper", "default", "decoder")
LOSS_NAMES = ("mse", "huber", "student-t")
"""The keys of NETWORKS and LOSSES, for those who do not want to wait for torch."""


@dataclass(frozen=True)
class Preset:
    """Everything that a restoration depends on, besides the image and the seed.

    Attributes:
        network: a name in NETWORKS.
        loss: a name in LOSSES.
        rule: when to stop.
        learning_rate: Adam's.
        average: weight of the past in the moving average of outputs; 0 gives the plain output.
        iterations: the most that are done, whatever the rule says.
        precision: ``auto``, ``fp32`` or ``bf16``.
    """

    network: str
    loss: str
    rule: Rule
    learning_rate: float = 0.01
    average: float = 0.95
    iterations: int = 3000
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)


PRESETS = {
    # The Deep Protection paper, sections 2.1, 3.1 and 4.2; the learning rate is the deep image prior's own.
    "paper": Preset("paper", "mse", Fixed(1750), average=0.0, precision="fp32"),
    "default": Preset("default", "student-t", HeldOut(), iterations=350),
}
