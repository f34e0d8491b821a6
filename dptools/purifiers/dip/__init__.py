"""The deep image prior: a network fitted to one image, and stopped in time (arXiv 1711.10925), or started warm."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.purifiers.dip.presets import PRESETS, Preset

if TYPE_CHECKING:
    from dptools.purifiers.dip.reconstruction import Step, reconstruct
    from dptools.purifiers.dip.restoration import Restored, Wanted, restore, restore_all
else:
    __getattr__ = lazy(
        __name__, reconstruction=("Step", "reconstruct"), restoration=("Restored", "Wanted", "restore", "restore_all")
    )

__all__ = ["PRESETS", "Preset", "Restored", "Step", "Wanted", "reconstruct", "restore", "restore_all"]
