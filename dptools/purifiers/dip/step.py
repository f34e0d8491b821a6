"""One iteration of a fit."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Step:
    """One iteration of a fit; images are 1 x 3 x H x W.

    Attributes:
        iteration: number of the iteration, from 1.
        output: output of the network before its weights were updated, in (0, 1).
        average: the exponential moving average of the outputs.
        residual: output minus image.
        loss: the training loss of this output.
        error: mean squared error of the average over the fitted pixels.
        held_out: mean squared error of the average over the held-out pixels; None if no pixels are held out.
    """

    iteration: int
    output: Tensor
    average: Tensor
    residual: Tensor
    loss: float
    error: float
    held_out: float | None
