"""Everything that a restoration depends on, under one name."""

from dataclasses import dataclass

from dptools.errors import check_name
from dptools.purifiers.denoiser.texture import Texture
from dptools.purifiers.dip.stopping import Fixed, HeldOut, StoppingCriterion

PRECISIONS = ("auto", "fp32", "bf16")

LOSS_NAMES = ("mse", "huber", "student-t")
"""The keys of LOSSES, for those who do not want to wait for torch."""


@dataclass(frozen=True)
class Preset:
    """Everything that a restoration depends on, besides the image and the seed.

    Attributes:
        network: a name in NETWORKS.
        loss: a name in LOSSES.
        rule: when to stop.
        learning_rate: Adam's; 0 leaves the network's weights as they are.
        average: weight of the past in the moving average of outputs; 0 gives the plain output.
        jitter: standard deviation of the noise that is added to the network's input, drawn anew in each iteration.
        texture: what is added to the output in the end; None for nothing.
        iterations: the most that are done, whatever the rule says.
        precision: ``auto``, ``fp32`` or ``bf16``.
        tile: larger images are done in tiles of so many pixels a side; 0 never.
    """

    network: str
    loss: str
    rule: StoppingCriterion
    learning_rate: float = 0.01
    average: float = 0.95
    jitter: float = 0.0
    texture: Texture | None = None
    iterations: int = 3000
    precision: str = "auto"
    tile: int = 512

    def __post_init__(self) -> None:
        check_name("precision", self.precision, PRECISIONS)


TEXTURE = Texture(share=0.4, moved=10 / 255, grain=4 / 255)

PRESETS = {
    "default": Preset("warm", "mse", Fixed(8), learning_rate=0.0, jitter=12 / 255, iterations=8, texture=TEXTURE),
    "photo": Preset("warm", "mse", Fixed(1), learning_rate=0.0, iterations=1),
    "cold": Preset("small", "student-t", HeldOut(), iterations=350),
    # The Deep Protection paper, sections 2.1, 3.1 and 4.2; the learning rate is the deep image prior's own.
    "paper": Preset("paper", "mse", Fixed(1750), average=0.0, precision="fp32"),
}
