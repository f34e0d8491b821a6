"""Image filters that remove noise and perturbations: baselines for comparison with the networks."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.purifiers.filters.registry import PARAMETERS, Filter, parse_filter

if TYPE_CHECKING:
    from dptools.purifiers.filters.filtering import apply
    from dptools.purifiers.filters.purifier import FilterPurifier
else:
    __getattr__ = lazy(__name__, filtering=("apply",), purifier=("FilterPurifier",))

__all__ = ["PARAMETERS", "Filter", "FilterPurifier", "apply", "parse_filter"]
