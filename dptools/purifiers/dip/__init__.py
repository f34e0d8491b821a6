"""The deep image prior: a network with random weights, fitted to one image and stopped early (arXiv 1711.10925)."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.purifiers.dip.settings import DIP, PAPER, FitSettings
from dptools.purifiers.dip.stopping import Fixed, HeldOut, StopDecision, StoppingCriterion
from dptools.purifiers.dip.stopping_literature import DIPDefend, LossThreshold, Oracle, Plateau, Variance

if TYPE_CHECKING:
    from dptools.purifiers.dip.fit import Restoration
    from dptools.purifiers.dip.loop import steps
    from dptools.purifiers.dip.purifier import DeepImagePrior, restore_each
    from dptools.purifiers.dip.step import Step
else:
    __getattr__ = lazy(
        __name__,
        fit=("Restoration",),
        loop=("steps",),
        purifier=("DeepImagePrior", "restore_each"),
        step=("Step",),
    )

__all__ = [
    "DIP",
    "PAPER",
    "DIPDefend",
    "DeepImagePrior",
    "FitSettings",
    "Fixed",
    "HeldOut",
    "LossThreshold",
    "Oracle",
    "Plateau",
    "Restoration",
    "Step",
    "StopDecision",
    "StoppingCriterion",
    "Variance",
    "restore_each",
    "steps",
]
