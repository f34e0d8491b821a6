"""Purifiers, which remove adversarial perturbations from images.

>>> purify = dptools.purifiers.load("denoiser")  # a torch.nn.Module
>>> model = torch.nn.Sequential(purify, classifier)
"""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.purifiers.method import DEFAULT, METHODS, Method, parse_method

if TYPE_CHECKING:
    from dptools.purifiers.denoiser.purifier import Denoiser
    from dptools.purifiers.dip.purifier import DeepImagePrior
    from dptools.purifiers.filters.purifier import FilterPurifier
    from dptools.purifiers.loading import load
    from dptools.purifiers.purifier import Purifier
    from dptools.purifiers.straight_through import StraightThrough
    from dptools.purifiers.transform import Purify
    from dptools.purifiers.zero_shot.purifier import ZeroShot
else:
    __getattr__ = lazy(
        __name__,
        **{
            "denoiser.purifier": ("Denoiser",),
            "dip.purifier": ("DeepImagePrior",),
            "filters.purifier": ("FilterPurifier",),
            "loading": ("load",),
            "purifier": ("Purifier",),
            "zero_shot.purifier": ("ZeroShot",),
            "straight_through": ("StraightThrough",),
            "transform": ("Purify",),
        },
    )

__all__ = [
    "DEFAULT",
    "METHODS",
    "DeepImagePrior",
    "Denoiser",
    "FilterPurifier",
    "Method",
    "Purifier",
    "Purify",
    "StraightThrough",
    "ZeroShot",
    "load",
    "parse_method",
]
